//! Rules to text.

use std::fmt::{self, Write as _};

use super::Rule;

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Match(matcher, arguments) => {
                write!(f, "{}(", matcher.name())?;
                for (i, argument) in arguments.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    literal(f, argument)?;
                }
                f.write_char(')')
            }
            Self::And(rules) => joined(f, rules, " && "),
            Self::Or(rules) => joined(f, rules, " || "),
            Self::Not(rule) => {
                f.write_char('!')?;
                operand(f, rule)
            }
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, rules: &[Rule], operator: &str) -> fmt::Result {
    for (i, rule) in rules.iter().enumerate() {
        if i > 0 {
            f.write_str(operator)?;
        }
        operand(f, rule)?;
    }
    Ok(())
}

fn operand(f: &mut fmt::Formatter<'_>, rule: &Rule) -> fmt::Result {
    match rule {
        Rule::Match(..) | Rule::Not(_) => write!(f, "{rule}"),
        Rule::And(_) | Rule::Or(_) => write!(f, "({rule})"),
    }
}

/// A Go string literal: raw where the text allows, else quoted. A backtick in a raw one would end it and let the rest of a user's regular
/// expression be read as rule.
fn literal(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    // Go drops carriage returns from raw literals.
    if !text.contains(['`', '\r', '\n']) {
        return write!(f, "`{text}`");
    }
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            c if (c as u32) < 0x20 || c == '\u{7f}' => write!(f, "\\x{:02x}", c as u32)?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
