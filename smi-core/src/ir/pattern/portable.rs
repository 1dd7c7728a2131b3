//! What RE2, Go and Rust read alike (S8).
//!
//! The check walks the syntax tree of the Rust engine, which is the strictest about what it accepts, refuses what the two others read
//! differently or not at all, and rewrites the few things that mean the same under another spelling: Perl classes are ASCII, named
//! groups are `(?P<…>`, and escapes in paths match hex digits in either case.

use std::ops::Range;

use regex_syntax::ast::{self, Ast, ClassPerlKind, Flag, GroupKind, LiteralKind, Visitor};

use super::{Anchor, PatternFault, bytes};

/// RE2 and Go refuse repetitions that, multiplied through nesting, exceed this.
const MAX_REPEAT: u32 = 1000;

/// Refused above this many bytes; all three engines would compile it, at a cost that nobody wants per request.
const MAX_LENGTH: usize = 4096;

/// Characters and parts of classes after repetitions are unfolded. Envoy's limit is set to 32768 instructions, of which one takes up to
/// three; larger ones count more than once.
const MAX_SIZE: u32 = 10_000;

/// The portable text of a pattern, and its syntax tree unless that is another text's.
pub(super) fn check(text: &str, anchor: Anchor) -> Result<(String, Option<Ast>), PatternFault> {
    if text.len() > MAX_LENGTH {
        return Err(fault(0..text.len(), format!("the pattern is longer than {MAX_LENGTH} bytes")));
    }
    let mut parser = ast::parse::ParserBuilder::new().nest_limit(100).octal(false).build();
    let tree = parser.parse(text).map_err(|error| {
        let span = error.span();
        let range = span.start.offset..span.end.offset;
        let slice = text.get(range.clone()).unwrap_or_default();
        let mut fault = fault(range, format!("the regular expression is not valid: {}", error.kind()));
        if text.contains("(?=") || text.contains("(?!") || text.contains("(?<=") || text.contains("(?<!") {
            fault.help = Some("look-around is not portable; list the alternatives instead".into());
        } else if slice.starts_with('\\') {
            fault.help = Some("escape a literal backslash as `\\\\`".into());
        }
        fault
    })?;
    // Only a text with such a group or flag has any.
    let folds = text.contains("(?") && folds(&tree);
    let mut walk = Walk { text, anchor, edits: Vec::new(), repeats: vec![1], size: 0, folds };
    ast::visit(&tree, &mut walk)?;
    if walk.size > MAX_SIZE {
        return Err(fault(
            0..text.len(),
            format!("the pattern is too large: repetitions unfold it to {} characters", walk.size),
        ));
    }
    walk.hex_escapes(&tree);
    let Walk { mut edits, folds, .. } = walk;
    edits.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(text.len() + 16);
    let mut at = 0;
    for (range, with) in edits {
        out.push_str(text.get(at..range.start).unwrap_or_default());
        out.push_str(&with);
        at = range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    // Canonical paths are ASCII, where bytes are characters.
    let spelt = if anchor == Anchor::Whole { bytes::spelt(&out, folds) } else { None };
    let out = spelt.unwrap_or(out);
    let tree = (out == text).then_some(tree);
    Ok((out, tree))
}

fn fault(span: Range<usize>, message: impl Into<String>) -> PatternFault {
    PatternFault { span, message: message.into(), help: None }
}

fn range(span: &ast::Span) -> Range<usize> {
    span.start.offset..span.end.offset
}

struct Walk<'t> {
    text: &'t str,
    anchor: Anchor,
    /// Rewritten parts of the text, not overlapping.
    edits: Vec<(Range<usize>, String)>,
    /// Products of the repetitions around the current place.
    repeats: Vec<u32>,
    /// Characters and classes, counted as often as repetitions unfold them.
    size: u32,
    /// Whether some part ignores case.
    folds: bool,
}

impl Walk<'_> {
    /// Counts a part, as often as repetitions unfold it.
    fn grow(&mut self, by: u32) {
        let times = self.repeats.last().copied().unwrap_or(1);
        self.size = self.size.saturating_add(by.saturating_mul(times));
    }

    fn refuse(&self, span: &ast::Span, what: &str, help: &str) -> PatternFault {
        let text = self.text.get(range(span)).unwrap_or_default();
        PatternFault {
            span: range(span),
            message: format!("`{text}` is not portable: {what}"),
            help: (!help.is_empty()).then(|| help.to_owned()),
        }
    }

    fn perl(&mut self, class: &ast::ClassPerl, bracketed: bool) -> Result<(), PatternFault> {
        let (inside, negated) = match class.kind {
            ClassPerlKind::Digit => ("0-9", class.negated),
            ClassPerlKind::Space => (r"\t\n\x0C\r ", class.negated),
            ClassPerlKind::Word => ("0-9A-Za-z_", class.negated),
        };
        if bracketed && negated {
            return Err(self.refuse(
                &class.span,
                "a negated class inside brackets has no ASCII spelling that all engines share",
                "list the characters instead",
            ));
        }
        let with = match (bracketed, negated) {
            (true, _) => inside.to_owned(),
            (false, false) => format!("[{inside}]"),
            (false, true) => format!("[^{inside}]"),
        };
        self.edits.push((range(&class.span), with));
        Ok(())
    }

    // SPEC: S8. Envoy's RE2 reads bytes, Go and Rust read characters: `[é]` and `é?` are about one byte there, and `\x{100}` is an
    // error. Only the text itself is the same everywhere. Test: s8_characters_outside_ascii_are_bytes_to_envoy.
    fn beyond_ascii(&self, literal: &ast::Literal, alone: bool) -> Result<(), PatternFault> {
        if literal.c.is_ascii() {
            return Ok(());
        }
        if self.anchor == Anchor::Start {
            let mut bytes = [0; 4];
            let escaped = literal.c.encode_utf8(&mut bytes).bytes().map(|b| format!("%{b:02X}"));
            let help = format!("write `{}`", escaped.collect::<String>());
            return Err(self.refuse(
                &literal.span,
                "paths are ASCII, everything else is escaped in them",
                &help,
            ));
        }
        let plain = matches!(literal.kind, LiteralKind::Verbatim);
        if plain && alone && !self.folds {
            return Ok(());
        }
        let help = if plain {
            "repeat or choose it as `(?:…)`, and without `(?i)`"
        } else {
            "write the character itself"
        };
        Err(self.refuse(&literal.span, "outside ASCII some engines read bytes, others characters", help))
    }

    fn literal(&self, literal: &ast::Literal) -> Result<(), PatternFault> {
        match &literal.kind {
            LiteralKind::Verbatim | LiteralKind::Meta | LiteralKind::Special(_) => {
                if literal.c == '\n' {
                    return Err(self.refuse(&literal.span, "no path or header value holds a line feed", ""));
                }
                Ok(())
            }
            // `\-` and the like: an escaped punctuation mark is itself in all three, anything else is not.
            LiteralKind::Superfluous
                if literal.c.is_ascii_punctuation() && !matches!(literal.c, '<' | '>') =>
            {
                Ok(())
            }
            LiteralKind::Superfluous => {
                Err(self.refuse(&literal.span, "an unknown escape", "leave out the backslash"))
            }
            LiteralKind::HexFixed(ast::HexLiteralKind::X) | LiteralKind::HexBrace(ast::HexLiteralKind::X) => {
                Ok(())
            }
            LiteralKind::HexFixed(_) | LiteralKind::HexBrace(_) => Err(self.refuse(
                &literal.span,
                "only `\\x` escapes are read by all engines",
                "write `\\x{…}`",
            )),
            LiteralKind::Octal => Err(self.refuse(&literal.span, "octal escapes differ", "write `\\x{…}`")),
        }
    }

    fn flags(&self, span: &ast::Span, flags: &ast::Flags) -> Result<(), PatternFault> {
        for item in &flags.items {
            if let ast::FlagsItemKind::Flag(flag) = &item.kind {
                match flag {
                    Flag::CaseInsensitive | Flag::DotMatchesNewLine | Flag::SwapGreed | Flag::MultiLine => {}
                    Flag::Unicode | Flag::CRLF | Flag::IgnoreWhitespace => {
                        return Err(self.refuse(
                            span,
                            "the engines know only the flags `i`, `m`, `s` and `U`",
                            "",
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// `%3f` in a path: the hex digits match in either case (S9). Works on runs of plain literals outside brackets.
    fn hex_escapes(&mut self, tree: &Ast) {
        // A `%` stands for itself or is escaped.
        if self.anchor != Anchor::Start || !self.text.contains(['%', '\\']) {
            return;
        }
        let mut runs = Vec::new();
        literal_runs(tree, &mut runs);
        for run in runs {
            for window in run.windows(3) {
                let [percent, high, low] = window else { continue };
                if percent.c == '%' && high.c.is_ascii_hexdigit() && low.c.is_ascii_hexdigit() {
                    for digit in [high, low].into_iter().filter(|d| d.c.is_ascii_alphabetic()) {
                        let (lower, upper) = (digit.c.to_ascii_lowercase(), digit.c.to_ascii_uppercase());
                        self.edits.push((range(&digit.span), format!("[{upper}{lower}]")));
                    }
                }
            }
        }
    }
}

/// Whether a flag in the pattern makes letters match in either case.
fn folds(tree: &Ast) -> bool {
    struct Folds(bool);
    impl Visitor for Folds {
        type Output = bool;
        type Err = std::convert::Infallible;

        fn finish(self) -> Result<bool, Self::Err> {
            Ok(self.0)
        }

        fn visit_pre(&mut self, tree: &Ast) -> Result<(), Self::Err> {
            let flags = if let Ast::Flags(set) = tree {
                Some(&set.flags)
            } else if let Ast::Group(group) = tree {
                group.flags()
            } else {
                None
            };
            self.0 |= flags.is_some_and(|f| f.flag_state(Flag::CaseInsensitive) == Some(true));
            Ok(())
        }
    }
    let Ok(folds) = ast::visit(tree, Folds(false));
    folds
}

/// Maximal sequences of literals that follow each other.
fn literal_runs<'a>(tree: &'a Ast, runs: &mut Vec<Vec<&'a ast::Literal>>) {
    match tree {
        Ast::Concat(concat) => {
            let mut run = Vec::new();
            for part in &concat.asts {
                if let Ast::Literal(literal) = part {
                    run.push(&**literal);
                } else {
                    runs.push(std::mem::take(&mut run));
                    literal_runs(part, runs);
                }
            }
            runs.push(run);
        }
        Ast::Alternation(alternation) => alternation.asts.iter().for_each(|part| literal_runs(part, runs)),
        Ast::Group(group) => literal_runs(&group.ast, runs),
        Ast::Repetition(repetition) => literal_runs(&repetition.ast, runs),
        Ast::Empty(_)
        | Ast::Flags(_)
        | Ast::Literal(_)
        | Ast::Dot(_)
        | Ast::Assertion(_)
        | Ast::ClassUnicode(_)
        | Ast::ClassPerl(_)
        | Ast::ClassBracketed(_) => {}
    }
}

impl Visitor for &mut Walk<'_> {
    type Output = ();
    type Err = PatternFault;

    fn finish(self) -> Result<(), PatternFault> {
        Ok(())
    }

    fn visit_pre(&mut self, tree: &Ast) -> Result<(), PatternFault> {
        if let Ast::Literal(literal) = tree {
            self.grow(1 + u32::from(literal.c.len_utf8() > 3));
        } else if matches!(tree, Ast::Dot(_)) {
            self.grow(1);
        } else if matches!(tree, Ast::ClassPerl(_)) {
            self.grow(2);
        }
        match tree {
            Ast::Empty(_) | Ast::Dot(_) | Ast::Alternation(_) | Ast::Concat(_) | Ast::ClassBracketed(_) => {
                Ok(())
            }
            Ast::Flags(set) => self.flags(&set.span, &set.flags),
            Ast::Literal(literal) => self.beyond_ascii(literal, true).and_then(|()| self.literal(literal)),
            Ast::Assertion(assertion) => match assertion.kind {
                ast::AssertionKind::StartLine
                | ast::AssertionKind::EndLine
                | ast::AssertionKind::StartText => Ok(()),
                // RE2 and Go call it `\z`, as Rust does.
                ast::AssertionKind::EndText => Ok(()),
                ast::AssertionKind::WordBoundary | ast::AssertionKind::NotWordBoundary => {
                    // ASCII in RE2 and Go; the rewritten text says so to Rust only, so it stays out of the portable set.
                    Err(self.refuse(
                        &assertion.span,
                        "word boundaries are Unicode in some engines",
                        "spell out the neighbours",
                    ))
                }
                ast::AssertionKind::WordBoundaryStart
                | ast::AssertionKind::WordBoundaryEnd
                | ast::AssertionKind::WordBoundaryStartAngle
                | ast::AssertionKind::WordBoundaryEndAngle
                | ast::AssertionKind::WordBoundaryStartHalf
                | ast::AssertionKind::WordBoundaryEndHalf => {
                    Err(self.refuse(&assertion.span, "only the Rust engine has it", ""))
                }
            },
            Ast::ClassUnicode(class) => Err(self.refuse(
                &class.span,
                "Unicode classes differ between engines",
                "list the characters instead",
            )),
            Ast::ClassPerl(class) => self.perl(class, false),
            Ast::Group(group) => match &group.kind {
                GroupKind::CaptureIndex(_) => Ok(()),
                GroupKind::CaptureName { starts_with_p, name } => {
                    // Rust takes dots, brackets and letters of all scripts; Go refuses the pattern, and Traefik the router.
                    if !name.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                        return Err(self.refuse(
                            &name.span,
                            "names of groups are ASCII letters, digits and `_`",
                            "rename the group, or leave the name out",
                        ));
                    }
                    if !starts_with_p {
                        let start = group.span.start.offset;
                        self.edits.push((start..start + 3, "(?P<".into()));
                    }
                    Ok(())
                }
                GroupKind::NonCapturing(flags) => self.flags(&group.span, flags),
            },
            Ast::Repetition(repetition) => {
                let most = match &repetition.op.kind {
                    ast::RepetitionKind::ZeroOrOne
                    | ast::RepetitionKind::ZeroOrMore
                    | ast::RepetitionKind::OneOrMore => 1,
                    ast::RepetitionKind::Range(range) => match range {
                        ast::RepetitionRange::Exactly(n) | ast::RepetitionRange::AtLeast(n) => *n,
                        ast::RepetitionRange::Bounded(_, n) => *n,
                    },
                };
                let product = self.repeats.last().copied().unwrap_or(1).saturating_mul(most.max(1));
                if product > MAX_REPEAT {
                    return Err(self.refuse(
                        &repetition.op.span,
                        "it repeats more than 1000 times, counting the repetitions around it",
                        "use `*` or `+`",
                    ));
                }
                let operator = self.text.get(range(&repetition.op.span)).unwrap_or_default();
                if operator.contains(|c: char| c.is_whitespace()) {
                    return Err(self.refuse(
                        &repetition.op.span,
                        "with white space inside it is text to RE2 and Go",
                        "remove the white space, or escape the braces",
                    ));
                }
                if matches!(&*repetition.ast, Ast::Repetition(_)) {
                    return Err(self.refuse(
                        &repetition.op.span,
                        "a repetition of a repetition is refused by Go and RE2",
                        "put the inner one in `(?:…)`",
                    ));
                }
                if matches!(&*repetition.ast, Ast::Assertion(_) | Ast::Empty(_) | Ast::Flags(_)) {
                    return Err(self.refuse(&repetition.op.span, "it repeats nothing", ""));
                }
                if let Ast::Literal(literal) = &*repetition.ast {
                    self.beyond_ascii(literal, false)?;
                }
                self.repeats.push(product);
                Ok(())
            }
        }
    }

    fn visit_post(&mut self, tree: &Ast) -> Result<(), PatternFault> {
        if matches!(tree, Ast::Repetition(_)) {
            self.repeats.pop();
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), PatternFault> {
        // A class is as large as what it lists; named ones are up to five ranges.
        self.grow(match item {
            ast::ClassSetItem::Empty(_) | ast::ClassSetItem::Union(_) => 0,
            ast::ClassSetItem::Ascii(_) | ast::ClassSetItem::Perl(_) => 2,
            ast::ClassSetItem::Literal(_)
            | ast::ClassSetItem::Range(_)
            | ast::ClassSetItem::Unicode(_)
            | ast::ClassSetItem::Bracketed(_) => 1,
        });
        match item {
            ast::ClassSetItem::Empty(_) | ast::ClassSetItem::Ascii(_) | ast::ClassSetItem::Union(_) => Ok(()),
            ast::ClassSetItem::Literal(literal) => {
                self.beyond_ascii(literal, false).and_then(|()| self.literal(literal))
            }
            ast::ClassSetItem::Range(range) => {
                for end in [&range.start, &range.end] {
                    self.beyond_ascii(end, false).and_then(|()| self.literal(end))?;
                }
                Ok(())
            }
            ast::ClassSetItem::Unicode(class) => Err(self.refuse(
                &class.span,
                "Unicode classes differ between engines",
                "list the characters instead",
            )),
            ast::ClassSetItem::Perl(class) => self.perl(class, true),
            ast::ClassSetItem::Bracketed(class) => Err(self.refuse(
                &class.span,
                "a class inside a class is text to the other engines",
                "escape the bracket as `\\[`",
            )),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, op: &ast::ClassSetBinaryOp) -> Result<(), PatternFault> {
        Err(self.refuse(
            &op.span,
            "set operations are text to the other engines",
            "list the characters instead",
        ))
    }
}
