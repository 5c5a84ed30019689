//! What the figures depend on, as far as the machine tells.

use std::env::consts::ARCH;
use std::fs;

/// Architecture, model, and whether there are instructions for SHA-1 and SHA-256.
pub(crate) fn description() -> String {
    let known = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = known
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("", |model| model.trim_start_matches([' ', '\t', ':']));
    format!("{ARCH} {model}, {}", sha_instructions())
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn sha_instructions() -> &'static str {
    found(std::arch::is_x86_feature_detected!("sha"))
}

#[cfg(target_arch = "aarch64")]
fn sha_instructions() -> &'static str {
    found(std::arch::is_aarch64_feature_detected!("sha2"))
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn sha_instructions() -> &'static str {
    "SHA instructions not looked for"
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64"))]
fn found(instructions: bool) -> &'static str {
    if instructions {
        "with SHA instructions"
    } else {
        "without SHA instructions"
    }
}
