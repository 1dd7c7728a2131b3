//! `smi codes`.

use std::io::Write as _;
use std::process::ExitCode;

use smi_core::diag::Code;

/// Every code of this program, ordered by id.
pub(crate) fn all() -> Vec<Code> {
    let mut codes = smi_core::codes();
    codes.extend_from_slice(smi_envoy::codes::CODES);
    codes.extend_from_slice(smi_traefik::codes::CODES);
    codes.sort();
    codes
}

pub(crate) fn run(wanted: Option<&str>) -> anyhow::Result<ExitCode> {
    let codes = all();
    let mut out = anstream::stdout();
    match wanted {
        None => {
            for code in codes {
                writeln!(
                    out,
                    "{} {:<7} {:<34} {}",
                    code.id,
                    code.severity.to_string(),
                    code.name,
                    code.summary
                )?;
            }
        }
        Some(wanted) => {
            let found = codes.iter().find(|c| c.id.eq_ignore_ascii_case(wanted) || c.name == wanted);
            let Some(code) = found else {
                anyhow::bail!("there is no code `{wanted}`; `smi codes` lists them")
            };
            let rule = if code.rule.is_empty() { String::new() } else { format!(" (rule {})", code.rule) };
            writeln!(
                out,
                "# {} {}\n\n{}: {}{rule}.\n\n{}",
                code.id,
                code.name,
                code.severity,
                code.summary,
                code.explanation.trim()
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
