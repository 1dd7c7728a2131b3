//! `json_yaml_agree` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    smi_fuzz::targets::json_yaml_agree(data);
});
