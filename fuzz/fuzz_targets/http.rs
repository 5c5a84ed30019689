#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| softtoken_fuzz::http(data));
