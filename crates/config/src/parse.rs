//! Lines to sections, options and values.
//!
//! Source: `oslo_config.iniparser`: a line that begins with a blank continues the value before it, an
//! empty line ends it, `#` and `;` begin a comment only at the start of a line, key and value are
//! parted by the first of `=` and `:`, and one pair of quotes around a value is dropped.

/// One assignment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) line: u32,
}

/// One section with its assignments in the order of the file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Parsed {
    pub(crate) name: String,
    pub(crate) line: u32,
    pub(crate) assignments: Vec<Assignment>,
}

/// Why a line is none: its number and the reason.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Refused {
    pub(crate) line: u32,
    pub(crate) reason: String,
}

/// Reads all lines. A section that comes twice is one.
pub(crate) fn parse(text: &str) -> Result<Vec<Parsed>, Refused> {
    let mut sections: Vec<Parsed> = Vec::new();
    let mut current: Option<usize> = None;
    let mut open = false;
    for (index, raw) in text.lines().enumerate() {
        let line = u32::try_from(index).unwrap_or(u32::MAX - 1) + 1;
        let trimmed = raw.trim();
        // The first word alone: what follows may be a secret.
        let word = trimmed.split_whitespace().next().unwrap_or_default();
        let refuse = |reason: &str| Refused {
            line,
            reason: format!("{word}: {reason}"),
        };
        if trimmed.is_empty() {
            open = false;
        } else if raw.starts_with([' ', '\t']) {
            let last = current
                .filter(|_| open)
                .and_then(|at| sections[at].assignments.last_mut());
            let last = last.ok_or_else(|| {
                refuse("the line begins with a blank, but there is no option above it to continue")
            })?;
            last.value.push('\n');
            last.value.push_str(trimmed);
        } else if raw.starts_with(['#', ';']) {
            // A comment; a value above it may still be continued.
        } else if let Some(rest) = trimmed.strip_prefix('[') {
            let name = rest
                .strip_suffix(']')
                .map(str::trim)
                .filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| refuse("a section is written [name]"))?;
            current = Some(section_at(&mut sections, name, line));
            open = false;
        } else {
            let at =
                current.ok_or_else(|| refuse("an option stands before the first [section]"))?;
            let (key, value) =
                assignment(trimmed).ok_or_else(|| refuse("an option is written name = value"))?;
            sections[at]
                .assignments
                .push(Assignment { key, value, line });
            open = true;
        }
    }
    for assignment in sections
        .iter_mut()
        .flat_map(|section| &mut section.assignments)
    {
        unquote(&mut assignment.value);
    }
    Ok(sections)
}

fn section_at(sections: &mut Vec<Parsed>, name: &str, line: u32) -> usize {
    if let Some(at) = sections.iter().position(|section| section.name == name) {
        return at;
    }
    sections.push(Parsed {
        name: name.to_owned(),
        line,
        assignments: Vec::new(),
    });
    sections.len() - 1
}

fn assignment(line: &str) -> Option<(String, String)> {
    let at = line.find(['=', ':'])?;
    let key = line[..at].trim();
    (!key.is_empty()).then(|| (key.to_owned(), line[at + 1..].trim().to_owned()))
}

fn unquote(value: &mut String) {
    for quote in ['"', '\''] {
        if value.len() > 1 && value.starts_with(quote) && value.ends_with(quote) {
            *value = value[1..value.len() - 1].to_owned();
            return;
        }
    }
}
