//! What is read, refused and pointed at.

use super::*;
use crate::diag::{FieldPath, ObjectRef};
use crate::hub::names::Namespaced;

fn read(text: &str) -> World {
    load(&[Input::new("a.yaml", text)], &Limits::default())
}

/// `CODE line:column "text" message (help)` of every finding.
fn findings(world: &World) -> Vec<String> {
    let show = |d: &Diagnostic| {
        let place = d.span.or_else(|| world.sources.caret(d.object.as_ref()?, &d.path));
        let place = place.map_or_else(String::new, |span| {
            let at = world.sources.line_column(span);
            format!(" {}:{} {:?}", at.line, at.column, world.sources.slice(span))
        });
        let help = d.help.as_ref().map_or_else(String::new, |h| format!(" ({h})"));
        format!("{}{place} {}{help}", d.code, d.message)
    };
    world.report.iter().map(show).collect()
}

fn service(name: &str) -> String {
    format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec:\n  ports: [{{port: 80}}]\n")
}

fn service_names(world: &World) -> Vec<String> {
    world.cluster.services.keys().map(ToString::to_string).collect()
}

#[test]
fn reads_a_service() {
    let world = read(&service("web"));
    assert_eq!(findings(&world), Vec::<String>::new());
    assert_eq!(service_names(&world), ["default/web"]);
}

#[test]
fn a_broken_document_spoils_no_other() {
    let text = format!("{}---\na: b: c\n---\n{}", service("a"), service("b"));
    let world = read(&text);
    assert_eq!(service_names(&world), ["default/a", "default/b"]);
    assert_eq!(findings(&world), [r#"SMI0001 7:5 ":" mapping values are not allowed in this context"#]);
}

#[test]
fn fields_are_found_again() {
    let text = format!("# é\n---\n{}", service("web"));
    let world = read(&text);
    let object = ObjectRef::new("", "v1", "Service", &Namespaced::new("default", "web"));
    let at = |path: FieldPath| {
        let span = world.sources.locate(&object, &path).unwrap();
        let LineColumn { line, column } = world.sources.line_column(span);
        (line, column, world.sources.slice(span))
    };
    let ports = FieldPath::root().fields(&["spec", "ports"]);
    assert_eq!(at(ports.clone().index(0).field("port")), (7, 18, "80"));
    assert_eq!(at(ports.clone().index(7).field("port")), (7, 10, "[{port: 80}]"));
    let key = world.sources.locate_key(&object, &ports).unwrap();
    assert_eq!(world.sources.slice(key), "ports");
    let root = world.sources.caret(&object, &FieldPath::root()).unwrap();
    assert_eq!(world.sources.slice(root), "web");
}
