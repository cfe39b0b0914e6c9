//! What `cinder` prints: tables in frames of `+`, `-` and `|`.

use serde_json::{Map, Value};

/// The cells of a table's lines, its heads first. A cell may go on in the next line, which then has
/// nothing in its first cell.
fn lines(printed: &str) -> Vec<Vec<String>> {
    let mut out: Vec<Vec<String>> = Vec::new();
    for line in printed.lines() {
        let Some(inner) = line
            .strip_prefix('|')
            .and_then(|line| line.strip_suffix('|'))
        else {
            continue;
        };
        let cells: Vec<String> = inner.split('|').map(|it| it.trim().to_owned()).collect();
        match out.last_mut() {
            Some(last) if cells[0].is_empty() && last.len() == cells.len() => {
                for (cell, more) in last
                    .iter_mut()
                    .zip(cells)
                    .filter(|(_, more)| !more.is_empty())
                {
                    cell.push('\n');
                    cell.push_str(&more);
                }
            }
            Some(_) | None => out.push(cells),
        }
    }
    out
}

/// The rows of a printed list, each an object by the heads of its columns.
pub fn rows(printed: &str) -> Vec<Value> {
    let mut lines = lines(printed).into_iter();
    let heads = lines
        .next()
        .unwrap_or_else(|| panic!("no table in {printed}"));
    let row = |cells: Vec<String>| {
        let pairs = heads
            .iter()
            .cloned()
            .zip(cells.into_iter().map(Value::from));
        Value::Object(pairs.collect::<Map<_, _>>())
    };
    lines.map(row).collect()
}

/// What is printed of one thing, by the names of its properties.
pub fn fields(printed: &str) -> Value {
    let pairs = lines(printed).into_iter().skip(1).map(|cells| {
        let [name, value] = &cells[..] else {
            panic!("no properties in {printed}");
        };
        (name.clone(), Value::from(value.as_str()))
    });
    Value::Object(pairs.collect())
}
