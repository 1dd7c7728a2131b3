//! `smi check --fix`: carries out the changes that diagnostics offer and that can be made without asking.
//!
//! Shape: passes, each of which reads the texts, makes every safe change that does not overlap another, reads the result and keeps it only
//! if it is what was wanted: the objects differ in the edited fields and nowhere else, the findings are gone, and no error is new. What
//! fails that is made alone, or not at all. The loop ends when a pass finds nothing to do, so a second run changes nothing.
//! Invariant: a safe change keeps or narrows what the policy allows (`Fix::safe`).
//! Absent: texts that are not UTF-8, whose bytes would not survive.

mod write;

pub(crate) use write::{diff, write};

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use smi_core::compile::CompileOptions;
use smi_core::diag::{Code, Diagnostic, Edit, FieldPath, ObjectRef, Report, Segment, Severity};
use smi_core::load::edit::{TextEdit, apply, overlap};
use smi_core::load::{Input, Limits, World, load};

/// More passes than changes that depend on each other.
const MAX_PASSES: usize = 20;

/// Texts after all changes.
pub(crate) struct Fixed {
    /// The texts.
    pub(crate) inputs: Vec<Input>,
    /// They, read again.
    pub(crate) world: World,
    /// What is still to be said about them.
    pub(crate) report: Report,
    /// How many findings were mended.
    pub(crate) mended: usize,
}

/// What was read and what is to be said about it.
struct State {
    inputs: Vec<Input>,
    world: World,
    report: Report,
}

/// What is not tried again: object, code and path.
type Refused = BTreeSet<(ObjectRef, &'static str, FieldPath)>;

impl State {
    fn of(inputs: Vec<Input>, options: &CompileOptions) -> Self {
        let world = load(&inputs, &Limits::default());
        let (_, report) = crate::compiled(&world, options);
        Self { inputs, world, report }
    }

    /// Changes that can be made together, each with its finding.
    fn changes(&self, refused: &Refused) -> Vec<(Diagnostic, Vec<TextEdit>)> {
        let mut changes: Vec<(Diagnostic, Vec<TextEdit>)> = Vec::new();
        for diagnostic in self.report.iter() {
            let Some((object, fix)) = diagnostic.object.as_ref().zip(diagnostic.fix.as_ref()) else {
                continue;
            };
            if !fix.safe || refused.contains(&key(diagnostic, object)) {
                continue;
            }
            let edits = fix.edits.iter().map(|edit| self.world.sources.text_edit(object, edit));
            let Some(edits) = edits.collect::<Option<Vec<_>>>() else { continue };
            let utf8 =
                edits.iter().all(|edit| self.input(edit).is_some_and(|i| str::from_utf8(&i.bytes).is_ok()));
            let taken =
                |edit: &TextEdit| changes.iter().flat_map(|(_, e)| e).any(|e| overlap(e.span, edit.span));
            // Indices of other edits to the same object would no longer fit after a removal.
            let same = |c: &(Diagnostic, Vec<TextEdit>)| c.0.object.as_ref() == Some(object);
            let shifts = fix.edits.iter().any(removes_item);
            let clash = changes
                .iter()
                .filter(|c| same(c))
                .any(|(d, _)| shifts || d.fix.iter().flat_map(|f| &f.edits).any(removes_item));
            if utf8 && !clash && !edits.iter().any(taken) {
                changes.push((diagnostic.clone(), edits));
            }
        }
        changes
    }

    fn input(&self, edit: &TextEdit) -> Option<&Input> {
        self.inputs.get(usize::try_from(edit.span.source.0).ok()?)
    }

    /// The texts with these changes, if they then mean what was wanted.
    fn with(&self, changes: &[(Diagnostic, Vec<TextEdit>)], options: &CompileOptions) -> Option<Self> {
        let mut inputs = self.inputs.clone();
        for (source, input) in self.world.sources.ids().zip(&mut inputs) {
            let edits: Vec<TextEdit> =
                changes.iter().flat_map(|(_, e)| e).filter(|e| e.span.source == source).cloned().collect();
            if !edits.is_empty() {
                input.bytes = apply(self.world.sources.text(source), &edits)?.into_bytes();
            }
        }
        let next = Self::of(inputs, options);
        (self.objects_after(changes)? == next.objects()? && self.is_mended_by(&next, changes)).then_some(next)
    }

    fn objects(&self) -> Option<Vec<Value>> {
        self.world.objects.iter().map(|o| serde_json::to_value(o).ok()).collect()
    }

    /// The objects as they should be after the changes.
    fn objects_after(&self, changes: &[(Diagnostic, Vec<TextEdit>)]) -> Option<Vec<Value>> {
        let mut objects = self.objects()?;
        for (diagnostic, _) in changes {
            let place = self
                .world
                .objects
                .iter()
                .position(|o| Some(&o.object_ref()) == diagnostic.object.as_ref())?;
            for edit in diagnostic.fix.iter().flat_map(|fix| &fix.edits) {
                set(objects.get_mut(place)?, edit)?;
            }
        }
        Some(objects)
    }

    /// Whether the findings are gone and no error is new.
    fn is_mended_by(&self, next: &Self, changes: &[(Diagnostic, Vec<TextEdit>)]) -> bool {
        type Counts<'a> = BTreeMap<(Option<&'a ObjectRef>, Code), usize>;
        fn counts(report: &Report) -> Counts<'_> {
            let mut counts = Counts::new();
            for d in report.iter() {
                *counts.entry((d.object.as_ref(), d.code)).or_default() += 1;
            }
            counts
        }
        let (before, after) = (counts(&self.report), counts(&next.report));
        let mut mended = Counts::new();
        for (diagnostic, _) in changes {
            *mended.entry((diagnostic.object.as_ref(), diagnostic.code)).or_default() += 1;
        }
        let count =
            |counts: &Counts<'_>, key: &(Option<&ObjectRef>, Code)| counts.get(key).copied().unwrap_or(0);
        let gone = mended.iter().all(|(key, n)| count(&after, key) + n <= count(&before, key));
        let errors = |r: &Report| {
            let mut errors = BTreeMap::new();
            for d in r.iter().filter(|d| d.severity == Severity::Error) {
                *errors.entry((d.object.clone(), d.code)).or_insert(0_usize) += 1;
            }
            errors
        };
        let old = errors(&self.report);
        gone && errors(&next.report).iter().all(|(key, n)| old.get(key).is_some_and(|o| n <= o))
    }
}

/// Makes every safe change.
pub(crate) fn fix(inputs: Vec<Input>, options: &CompileOptions) -> Fixed {
    let mut state = State::of(inputs, options);
    let mut refused = Refused::new();
    let mut mended = 0;
    for _ in 0..MAX_PASSES {
        let changes = state.changes(&refused);
        if changes.is_empty() {
            break;
        }
        if let Some(next) = state.with(&changes, options) {
            mended += changes.len();
            state = next;
            continue;
        }
        // One of them is not what it seems: each alone, and what fails then is left.
        let mut first = None;
        for change in changes {
            match state.with(std::slice::from_ref(&change), options) {
                Some(next) if first.is_none() => first = Some(next),
                Some(_) => {}
                None => refused.extend(change.0.object.as_ref().map(|object| key(&change.0, object))),
            }
        }
        if let Some(next) = first {
            mended += 1;
            state = next;
        }
    }
    Fixed { inputs: state.inputs, world: state.world, report: state.report, mended }
}

fn key(diagnostic: &Diagnostic, object: &ObjectRef) -> (ObjectRef, &'static str, FieldPath) {
    (object.clone(), diagnostic.code.id, diagnostic.path.clone())
}

fn removes_item(edit: &Edit) -> bool {
    edit.value.is_none() && matches!(edit.path.segments().last(), Some(Segment::Index(_)))
}

/// Carries an edit out on an object's JSON form.
fn set(object: &mut Value, edit: &Edit) -> Option<()> {
    let (last, parents) = edit.path.segments().split_last()?;
    let mut node = object;
    for segment in parents {
        node = match segment {
            Segment::Field(name) => node.get_mut(&**name)?,
            Segment::Index(index) => node.get_mut(*index)?,
        };
    }
    let value = edit.value.as_deref().map(serde_json::from_str::<Value>).transpose().ok()?;
    match (node, last, value) {
        (Value::Object(map), Segment::Field(name), Some(value)) => drop(map.insert(name.to_string(), value)),
        (Value::Object(map), Segment::Field(name), None) => drop(map.remove(&**name)?),
        (Value::Array(list), Segment::Index(index), Some(value)) => *list.get_mut(*index)? = value,
        (Value::Array(list), Segment::Index(index), None) if *index < list.len() => drop(list.remove(*index)),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests;
