//! `usdt-flow schema`: the JSON Schemas of the records, generated from the
//! types that write them.

use std::fs;
use std::io::{self, Write as _};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::cli::SchemaArgs;
use crate::config::nearest;

/// Lists, prints or writes schemas.
pub fn execute(args: &SchemaArgs) -> anyhow::Result<()> {
    let schemas = select(flow_codec::wire::schemas(), args.name.as_deref())?;
    if let Some(folder) = &args.out {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for (file, schema) in &schemas {
            let path = folder.join(file);
            fs::write(&path, format!("{schema:#}\n"))
                .with_context(|| format!("cannot write {}", path.display()))?;
            eprintln!("wrote {}", path.display());
        }
        return Ok(());
    }
    let mut out = io::stdout().lock();
    for (file, schema) in &schemas {
        match args.name {
            Some(_) => writeln!(out, "{schema:#}")?,
            None => writeln!(out, "{}", short(file))?,
        }
    }
    Ok(())
}

fn select(
    schemas: Vec<(&'static str, Value)>,
    name: Option<&str>,
) -> anyhow::Result<Vec<(&'static str, Value)>> {
    let Some(name) = name else { return Ok(schemas) };
    let names: Vec<&str> = schemas.iter().map(|(file, _)| short(file)).collect();
    if !names.contains(&short(name)) {
        match nearest(name, names.iter().copied()) {
            Some(known) => bail!("there is no schema {name:?}; did you mean {known}?"),
            None => bail!("there is no schema {name:?}; there are {}", names.join(", ")),
        }
    }
    Ok(schemas.into_iter().filter(|(file, _)| short(file) == short(name)).collect())
}

/// The name of a schema's file without its endings.
fn short(file: &str) -> &str {
    let file = file.strip_suffix(".json").unwrap_or(file);
    file.strip_suffix(".schema").unwrap_or(file)
}
