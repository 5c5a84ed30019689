//! Draws a key URI as a QR code, for a page or a terminal.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use qrcodegen_no_heap::{QrCode as Encoded, QrCodeEcc, Version};
use zeroize::Zeroizing;

use super::{KeyUri, UriError};

/// Counts the light modules that a reader needs around a code, ISO/IEC 18004.
const QUIET_ZONE: usize = 4;

/// Bounds the text of one run in the path of the picture: `M184 184h184v1h-184z`.
const MAX_RUN_BYTES: usize = 20;

/// Holds a key URI as a QR code, which authenticator apps scan off a screen.
///
/// [`KeyUri::qr_code`] makes it. A picture of it holds the secret as plainly as the URI does: it
/// belongs on the user's screen, once, in no log, no cache and no mail. The code is wiped when
/// dropped, and so is every picture; `Debug` shows its size alone.
///
/// ```
/// use softtoken::totp::{KeyUri, Secret, Totp};
///
/// let secret = Secret::from_base32("HXDMVJECJJWSRB3HWIZR4IFUGFTMXBOZ")?;
/// let uri = KeyUri::new(Some("ACME Co"), "john.doe@email.com", &secret, Totp::STANDARD)?;
/// let code = uri.qr_code()?;
/// assert!(code.expose_svg().starts_with("<svg "));
/// assert_eq!(code.expose_blocks().lines().count(), code.side().div_ceil(2));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct QrCode {
    /// Holds the rows, from the top, each from the left, without the quiet zone: eight modules a
    /// byte, the first in the lowest bit.
    dark: Zeroizing<Vec<u8>>,
    size: usize,
}

impl KeyUri {
    /// Draws the URI as a QR code: the smallest that holds it, with as much error correction as
    /// that size has room for.
    ///
    /// # Errors
    ///
    /// [`UriError::TooLong`] where the names make the URI longer than the largest QR code, 2953
    /// bytes. Phones read codes well up to some 300 bytes: limit the names that your application
    /// shows.
    pub fn qr_code(&self) -> Result<QrCode, UriError> {
        let text = self.expose();
        // The largest one's, on the heap, so that both are wiped whatever the encoder leaves there.
        let mut working = Zeroizing::new(vec![0; Version::MAX.buffer_len()]);
        let mut modules = Zeroizing::new(vec![0; Version::MAX.buffer_len()]);
        let encoded = Encoded::encode_text(
            &text,
            &mut working,
            &mut modules,
            QrCodeEcc::Low,
            Version::MIN,
            Version::MAX,
            None,
            true,
        )
        .map_err(|_| UriError::TooLong)?;
        let row = 0..encoded.size();
        let size = row.len();
        let mut dark = Zeroizing::new(vec![0; (size * size).div_ceil(8)]);
        let places = row.clone().flat_map(|y| row.clone().map(move |x| (x, y)));
        for (at, (x, y)) in places.enumerate() {
            dark[at / 8] |= u8::from(encoded.get_module(x, y)) << (at % 8);
        }
        Ok(QrCode { dark, size })
    }
}

impl QrCode {
    /// Returns the number of modules of a side, the light ones around the code included: 29 to 185.
    #[must_use]
    pub const fn side(&self) -> usize {
        self.size + 2 * QUIET_ZONE
    }

    /// Returns the code as an SVG element, black on white whatever the theme of the page, with the
    /// light margin that readers need. It scales to any size, and has neither script nor style, so
    /// that it stands in a page under the strictest Content-Security-Policy.
    ///
    /// Give the element around it a text for screen readers, `role="img"` with an `aria-label`, and
    /// show the key as text beside it. Show it at least 4 points a module wide, about 200 points.
    #[must_use]
    pub fn expose_svg(&self) -> Zeroizing<String> {
        let (side, runs) = (self.side(), self.runs().count());
        // Never grown: what a string outgrows is freed without being wiped.
        let mut svg = Zeroizing::new(String::with_capacity(runs * MAX_RUN_BYTES + 200));
        // A string takes whatever is written to it.
        let _ = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
             shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/>\
             <path d=\"",
        );
        for (x, y, width) in self.runs() {
            let _ = write!(svg, "M{x} {y}h{width}v1h-{width}z");
        }
        svg.push_str("\"/></svg>");
        svg
    }

    /// Returns the code as lines of half blocks, two rows of modules a line, with the light margin
    /// that readers need. Print it in white on black, since what is printed is the light modules:
    /// the gaps of a font between two lines then cut no dark pattern in two.
    #[must_use]
    pub fn expose_blocks(&self) -> Zeroizing<String> {
        let side = self.side();
        // Three bytes a character, and a line feed.
        let capacity = side.div_ceil(2) * (3 * side + 1);
        let mut blocks = Zeroizing::new(String::with_capacity(capacity));
        for y in (0..side).step_by(2) {
            for x in 0..side {
                blocks.push(match (self.is_dark(x, y), self.is_dark(x, y + 1)) {
                    (true, true) => ' ',
                    (true, false) => '▄',
                    (false, true) => '▀',
                    (false, false) => '█',
                });
            }
            blocks.push('\n');
        }
        blocks
    }

    /// Returns whether the module is dark, counted from the corner of the quiet zone.
    fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = |at: usize| at.checked_sub(QUIET_ZONE).filter(|at| *at < self.size);
        let (Some(x), Some(y)) = (inside(x), inside(y)) else {
            return false;
        };
        let at = y * self.size + x;
        self.dark[at / 8] >> (at % 8) & 1 == 1
    }

    /// Gives every run of dark modules in a row: its column, its row and its width.
    fn runs(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        (0..self.side()).flat_map(move |y| {
            let mut x = 0;
            core::iter::from_fn(move || {
                let start = (x..self.side()).find(|x| self.is_dark(*x, y))?;
                // The quiet zone ends every run.
                x = (start..self.side()).find(|x| !self.is_dark(*x, y))?;
                Some((start, y, x - start))
            })
        })
    }
}

impl fmt::Debug for QrCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("QrCode")
            .field("side", &self.side())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "the keys and names are valid")]
mod tests {
    use super::*;
    use crate::totp::{Secret, Totp};

    fn code(account: &str) -> Result<QrCode, UriError> {
        let secret = Secret::from_bytes(&[0xa5; 20]).unwrap();
        KeyUri::new(Some("Example"), account, &secret, Totp::STANDARD)
            .unwrap()
            .qr_code()
    }

    /// A string that grows frees what it held without wiping it.
    #[test]
    fn no_picture_is_moved_while_it_is_drawn() {
        for bytes in [1, 20, 300, 2800] {
            let code = code(&"a".repeat(bytes)).unwrap();
            let (svg, blocks) = (code.expose_svg(), code.expose_blocks());
            let reserved = code.runs().count() * MAX_RUN_BYTES + 200;
            assert_eq!(svg.capacity(), reserved);
            assert_eq!(
                blocks.capacity(),
                code.side().div_ceil(2) * (3 * code.side() + 1)
            );
            assert_eq!(code.dark.capacity(), (code.size * code.size).div_ceil(8));
        }
    }

    #[test]
    fn the_margin_is_light_on_every_side() {
        let code = code("alice").unwrap();
        let last = code.side() - 1;
        for at in 0..code.side() {
            for depth in 0..QUIET_ZONE {
                for (x, y) in [
                    (at, depth),
                    (depth, at),
                    (at, last - depth),
                    (last - depth, at),
                ] {
                    assert!(!code.is_dark(x, y), "{x} {y}");
                }
            }
        }
        // The corners of three finder patterns begin right behind it.
        let end = last - QUIET_ZONE;
        for (x, y) in [
            (QUIET_ZONE, QUIET_ZONE),
            (end, QUIET_ZONE),
            (QUIET_ZONE, end),
        ] {
            assert!(code.is_dark(x, y), "{x} {y}");
        }
    }

    /// ISO/IEC 18004 asks for four. Behind them a finder pattern begins: seven dark modules, and of
    /// the next row the first and the last.
    #[test]
    fn the_margin_is_four_modules_wide() {
        let code = code("alice").unwrap();
        let side = code.size + 8;
        let svg = code.expose_svg();
        assert!(svg.contains(&alloc::format!("viewBox=\"0 0 {side} {side}\"")));
        assert!(svg.contains(" d=\"M4 4h7v1h-7z"), "the first run");
        let blocks = code.expose_blocks();
        let lines: Vec<&str> = blocks.lines().collect();
        let light = "█".repeat(side);
        assert_eq!(lines[..2], [&light, &light]);
        assert!(lines[2].starts_with("████ ▄▄▄▄▄ █"), "{}", lines[2]);
        assert!(lines[2].ends_with("█ ▄▄▄▄▄ ████"), "{}", lines[2]);
    }

    #[test]
    fn both_pictures_show_the_same_modules() {
        let code = code("alice").unwrap();
        let dark: usize = code.runs().map(|(_, _, width)| width).sum();
        let held: u32 = code.dark.iter().map(|dark| dark.count_ones()).sum();
        assert_eq!(u32::try_from(dark), Ok(held));
        let light = |shown| match shown {
            '█' => 2,
            '▀' | '▄' => 1,
            _ => 0,
        };
        let light: usize = code.expose_blocks().chars().map(light).sum();
        // Of an odd side the last line has half a row more, which counts as light.
        let modules = code.side() * code.side().next_multiple_of(2);
        assert_eq!(light + dark, modules);
    }

    #[test]
    fn a_uri_that_no_code_can_hold_is_refused() {
        assert!(code(&"a".repeat(2800)).is_ok());
        assert_eq!(code(&"a".repeat(2900)).unwrap_err(), UriError::TooLong);
    }

    #[test]
    fn debug_shows_the_size_alone() {
        let code = code("alice").unwrap();
        let expected = alloc::format!("QrCode {{ side: {}, .. }}", code.side());
        assert_eq!(alloc::format!("{code:?}"), expected);
    }
}
