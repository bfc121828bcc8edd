//! The tables of flags are what the programs say of themselves. `just gen` sets `WAKEGATE_GEN` and rewrites them.

use std::{env, fs};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use wakegate_e2e::programs;

use super::PAGE;

const BEGIN: &str =
    "<!-- flags: written by `just gen` from what the programs say with --help -->\n";
const END: &str = "<!-- end of flags -->\n";

/// One flag, as `--help` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Flag {
    /// With its value.
    name: String,
    text: String,
    default: String,
    /// Empty where there is none, or the one that every flag has.
    variable: String,
}

/// What a program, or a command of it, says of its flags.
async fn flags(program: &str, command: &[&str]) -> Result<Vec<Flag>> {
    let mut help = Command::new(programs::ours(program)?);
    // What stands in variables would be in the text.
    let help = help.args(command).arg("--help").env_clear();
    let text = String::from_utf8(help.output().await?.stdout)?;
    let (_, options) = text
        .split_once("\nOptions:\n")
        .with_context(|| format!("{program} --help says {text}"))?;
    let mut flags: Vec<Flag> = Vec::new();
    for line in options.lines() {
        let is_text = line.starts_with("          ");
        match (line.trim(), flags.last_mut()) {
            (name, _) if !is_text && name.starts_with('-') => flags.push(Flag {
                name: name.to_owned(),
                ..Flag::default()
            }),
            ("" | "Possible values:", _) | (_, None) => {}
            (words, Some(flag)) => {
                let words = words.strip_prefix("- ").map(|it| format!("; {it}"));
                let words = words.unwrap_or_else(|| format!(" {}", line.trim()));
                flag.text += &words;
            }
        }
    }
    flags.retain(|it| !it.name.starts_with("-h,") && !it.name.starts_with("-V,"));
    ensure!(!flags.is_empty(), "{program} --help says {text}");
    flags.iter_mut().for_each(Flag::take_brackets);
    Ok(flags)
}

impl Flag {
    /// What stands in brackets is for columns of its own.
    fn take_brackets(&mut self) {
        self.default = self.take("[default: ");
        let variable = self.take("[env: ");
        let variable = variable.trim_end_matches('=');
        let name = self.name.split_whitespace().find(|it| it.starts_with("--"));
        let usual = name.unwrap_or_default().trim_start_matches('-');
        let usual = format!("WAKEGATE_{}", usual.replace('-', "_").to_uppercase());
        if variable != usual {
            variable.clone_into(&mut self.variable);
        }
        self.text = self.text.trim().to_owned();
    }

    fn take(&mut self, begin: &str) -> String {
        let Some((before, rest)) = self.text.split_once(begin) else {
            return String::new();
        };
        let (inner, after) = rest.split_once(']').unwrap_or((rest, ""));
        let inner = inner.to_owned();
        self.text = format!("{} {}", before.trim_end(), after.trim_start());
        inner
    }

    fn row(&self) -> String {
        let Self {
            name,
            text,
            default,
            variable,
        } = self;
        let name = match variable.as_str() {
            "" => format!("`{name}`"),
            variable => format!("`{name}`, `{variable}`"),
        };
        let text = text.replace('|', "\\|").replace('<', "\\<");
        format!("| {name} | {default} | {text} |\n")
    }
}

fn table(title: &str, flags: &[Flag]) -> String {
    let rows: String = flags.iter().map(Flag::row).collect();
    format!("| {title} | default | |\n|---|---|---|\n{rows}\n")
}

async fn tables() -> Result<String> {
    let control_plane = flags("wakegate-control-plane", &[]).await?;
    let scaler = flags("wakegate-scaler", &[]).await?;
    let is_both = |flag: &Flag| control_plane.contains(flag) && scaler.contains(flag);
    let (both, control_plane): (Vec<_>, Vec<_>) = control_plane.iter().cloned().partition(is_both);
    let scaler: Vec<_> = scaler.into_iter().filter(|it| !both.contains(it)).collect();
    let mut text = String::from("\n");
    text += &table("both daemons", &both);
    text += &table("`wakegate-control-plane`", &control_plane);
    text += &table("`wakegate-scaler`", &scaler);
    for command in ["doctor", "migrate", "uninstall"] {
        let flags = flags("wakegate", &[command]).await?;
        // They have no variables.
        let flags: Vec<_> = flags
            .into_iter()
            .map(|flag| Flag {
                variable: String::new(),
                ..flag
            })
            .collect();
        text += &table(&format!("`wakegate {command}`"), &flags);
    }
    Ok(text)
}

#[tokio::test]
async fn the_tables_of_flags_are_current() -> Result<()> {
    let page = fs::read_to_string(PAGE)?;
    let (before, rest) = page.split_once(BEGIN).context("no tables of flags")?;
    let (_, after) = rest.split_once(END).context("the tables do not end")?;
    let fresh = format!("{before}{BEGIN}{}{END}{after}", tables().await?);
    if env::var_os("WAKEGATE_GEN").is_some() {
        fs::write(PAGE, fresh)?;
    } else {
        ensure!(page == fresh, "{PAGE} is stale: run `just gen`");
    }
    Ok(())
}
