//! The command of a container: its program, arguments and variables, in a file system of its own or without one.

use std::path::Path;

use anyhow::{Context as _, Result};
use tokio::process::Command;

use super::container::Run;
use super::environment::Environment;
use super::image::Image;
use super::root::Root;
use super::volumes::Volumes;

/// Where programs are in an image.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What to start for a container of this image.
pub(super) fn command(run: &Run, image: &Image, volumes: Option<&Volumes>) -> Result<Command> {
    let spec = &run.spec;
    let environment = Environment::of(&run.pod, spec, run.address, run.shared.api_server);
    let mut program = spec.command.clone().unwrap_or_default();
    if program.is_empty() {
        program.push(image.entrypoint.to_owned());
    }
    program.extend(spec.args.iter().flatten().cloned());
    let program = program.iter().map(|word| environment.expand(word));
    let mut command = if let Some(volumes) = volumes {
        let mounts = volumes.mounts(spec);
        let mounts = mounts
            .iter()
            .map(|(source, place)| (source.as_path(), place.as_str()));
        let files = image
            .files
            .iter()
            .map(|(place, file)| (file.as_path(), *place));
        let hosts: (&Path, _) = (&run.shared.hosts, "/etc/hosts");
        let root = Root::new(&run.pod, spec, files.chain(mounts).chain([hosts]));
        let enter = run.network.as_ref().map(|network| network.enter());
        let mut command = root.command(enter.transpose()?, &volumes.root()?, program);
        command.env_clear().env("PATH", PATH);
        command
    } else {
        // The one program of its image, whatever it is called there.
        let (_, file) = image.files.first().context("an image has a program")?;
        let mut command = Command::new(file);
        command.args(program.skip(1));
        command
    };
    command.envs(environment.variables());
    Ok(command)
}
