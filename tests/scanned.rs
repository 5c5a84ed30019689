//! QR codes are read back by a decoder that nobody here wrote: zbar's, from pictures of pixels.

use core::time::Duration;
use std::io::Write as _;
use std::process::{Command, Stdio};

use softtoken::totp::{Algorithm, Digits, KeyUri, Secret, Totp};

/// Returns what a program says of this input.
fn said_by(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program is installed");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input).expect("the program reads its input");
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    assert!(output.status.success(), "{program}: {}", output.status);
    output.stdout
}

fn scanned(picture: &[u8]) -> String {
    let text = said_by("zbarimg", &["--quiet", "--raw", "-Sbinary", "-"], picture);
    String::from_utf8(text).expect("a key URI is ASCII")
}

/// Returns a bitmap of what a terminal shows, in which every half block is 4 pixels wide and high.
fn photographed(blocks: &str) -> Vec<u8> {
    let lines: Vec<Vec<char>> = blocks.lines().map(|line| line.chars().collect()).collect();
    let (width, height) = (lines[0].len() * 4, lines.len() * 8);
    let mut bitmap = format!("P1 {width} {height}\n");
    for y in 0..height {
        for x in 0..width {
            let is_lit = match lines[y / 8][x / 4] {
                '█' => true,
                '▀' => y % 8 < 4,
                '▄' => y % 8 >= 4,
                _ => false,
            };
            // White on black: what is lit is white, which is 0 in a bitmap.
            bitmap.push(if is_lit { '0' } else { '1' });
        }
        bitmap.push('\n');
    }
    bitmap.into_bytes()
}

fn uris() -> Vec<KeyUri> {
    let standard = Totp::STANDARD;
    let long = Totp::new(Algorithm::Sha512, Digits::Eight, Duration::from_secs(60));
    let long = long.expect("in range");
    let names = [
        (None, "a"),
        (Some("Example"), "alice@example.com"),
        (Some("Käse & Söhne 100 %"), "jürgen müller@example.org"),
        (
            Some("A company of a rather long name"),
            "somebody.with.a.name@mail.example.net",
        ),
    ];
    let mut uris = Vec::new();
    for (issuer, account) in names {
        for (bytes, totp) in [(20, standard), (32, standard), (64, long)] {
            let key: Vec<u8> = (0..bytes).map(|at: u8| at.wrapping_mul(37)).collect();
            let secret = Secret::from_bytes(&key).expect("in range");
            uris.push(KeyUri::new(issuer, account, &secret, totp).expect("names"));
        }
    }
    uris
}

#[test]
#[ignore = "needs zbarimg and rsvg-convert (Debian: zbar-tools, librsvg2-bin)"]
fn every_picture_reads_back_as_the_uri_it_was_made_of() {
    let mut read = 0;
    for uri in uris() {
        let (text, code) = (uri.expose(), uri.qr_code().expect("short enough"));
        for width in ["200", "640"] {
            let svg = code.expose_svg();
            let picture = said_by("rsvg-convert", &["--width", width], svg.as_bytes());
            assert_eq!(scanned(&picture), *text, "{width} pixels");
            read += 1;
        }
        assert_eq!(scanned(&photographed(&code.expose_blocks())), *text);
        read += 1;
    }
    println!("{read} pictures were read back");
}
