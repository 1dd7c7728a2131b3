//! `xds_session` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    smi_fuzz::targets::xds_session(data);
});
