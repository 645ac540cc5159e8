//! Command line: arguments, `prism.gen.yaml`, and how findings are shown.

mod argument;
mod migrate;
mod project;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use prism_codegen::{Builder, Error};

use self::migrate::MigrateCommand;
use self::project::Project;
use self::report::Reporter;

/// Turns annotated .proto files into a data service.
#[derive(Parser)]
#[command(name = "prism", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// How findings are written.
    #[arg(long, value_enum, default_value_t, global = true)]
    format: FormatArg,
    /// When to use colours.
    #[arg(long, value_enum, default_value_t, global = true)]
    color: ColorArg,
    /// Take warnings for errors.
    #[arg(long, global = true)]
    deny_warnings: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Report everything that is wrong with a schema, and generate nothing.
    Check {
        #[command(flatten)]
        inputs: Inputs,
    },
    /// Generate the crate of a schema: library, proxy, migrations, schema.lock.
    Generate {
        #[command(flatten)]
        inputs: Inputs,
        /// Folder to write to [default: generated].
        #[arg(long, value_name = "DIR", value_parser = argument::path())]
        out: Option<PathBuf>,
        /// Write nothing; fail where a file is not what would be written.
        #[arg(long)]
        check: bool,
        /// Name of the generated package and its binary [default: prism-proxy].
        #[arg(long, value_name = "NAME", value_parser = argument::text())]
        crate_name: Option<String>,
        /// Path of prism-runtime from the generated crate [default: its published version].
        #[arg(long, value_name = "PATH", value_parser = argument::text())]
        runtime_path: Option<String>,
        /// Add deploy/: Dockerfile, compose file, systemd unit, Kubernetes manifests.
        #[arg(long)]
        deploy: bool,
    },
    /// Lead databases from one schema to the next.
    Migrate {
        #[command(subcommand)]
        command: MigrateCommand,
    },
    /// Show what an RPC does: operation, roles, index, and the SQL of each database.
    Explain {
        /// `package.Service/Method`; the package may be left out.
        #[arg(value_name = "SERVICE/METHOD", value_parser = argument::text())]
        method: String,
        #[command(flatten)]
        inputs: Inputs,
    },
}

/// What to read; what is not given comes from prism.gen.yaml in the current folder.
#[derive(Args)]
struct Inputs {
    /// Folder that imports are looked up in; may be given more than once.
    #[arg(short = 'I', long = "include", value_name = "DIR", value_parser = argument::path())]
    includes: Vec<PathBuf>,
    /// A FileDescriptorSet of buf or protoc, read instead of sources.
    #[arg(long, value_name = "FILE", value_parser = argument::path())]
    descriptor_set: Option<PathBuf>,
    /// The .proto files; a folder stands for those below it.
    #[arg(value_name = "FILE", value_parser = argument::path())]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum FormatArg {
    /// Drawn on a terminal, plain elsewhere.
    #[default]
    Auto,
    /// One line a finding, then its source and help.
    Plain,
    /// One JSON object a line.
    Json,
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum ColorArg {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// Runs a command. 0: done; 1: the schema or the disk is not right; 2: the call was wrong, or
/// lacks what it has to accept.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let reporter = Reporter::new(cli.format, cli.color);
    let project = match Project::read() {
        Ok(project) => project,
        Err(error) => return reporter.usage(&error),
    };
    let deny_warnings = cli.deny_warnings || project.deny_warnings;
    let start = |inputs: Inputs| {
        project
            .builder(inputs)
            .map(|(builder, files)| (builder.deny_warnings(deny_warnings), files))
    };
    match cli.command {
        Command::Check { inputs } => match start(inputs) {
            Ok((builder, files)) => check(&reporter, &builder, &files),
            Err(error) => reporter.usage(&error),
        },
        Command::Explain { method, inputs } => match start(inputs) {
            Ok((builder, files)) => explain(&reporter, &builder, &files, &method),
            Err(error) => reporter.usage(&error),
        },
        Command::Migrate { command: MigrateCommand::Diff { inputs, out, accept } } => {
            match start(inputs) {
                Ok((builder, files)) => {
                    let out = out.or(project.out.clone());
                    migrate::diff(&reporter, builder, &files, out, &accept)
                }
                Err(error) => reporter.usage(&error),
            }
        }
        Command::Migrate { command: MigrateCommand::Status { target } } => {
            migrate::status(&reporter, &project, target)
        }
        Command::Migrate { command: MigrateCommand::Apply { target, dry_run } } => {
            migrate::apply(&reporter, &project, target, dry_run)
        }
        Command::Migrate { command: MigrateCommand::Verify { target } } => {
            migrate::verify(&reporter, &project, target)
        }
        Command::Generate { inputs, out, check, crate_name, runtime_path, deploy } => {
            let (mut builder, files) = match start(inputs) {
                Ok(started) => started,
                Err(error) => return reporter.usage(&error),
            };
            builder = builder.whole_crate().check_only(check).deploy(deploy || project.deploy);
            if let Some(out) = out.or(project.out.clone()) {
                builder = builder.out_dir(out);
            }
            if let Some(name) = crate_name.or(project.crate_name.clone()) {
                builder = builder.crate_name(name);
            }
            if let Some(path) = runtime_path.or(project.runtime_path.clone()) {
                builder = builder.runtime_path(path);
            }
            generate(&reporter, &builder, &files)
        }
    }
}

fn check(reporter: &Reporter, builder: &Builder, files: &[PathBuf]) -> ExitCode {
    finish(reporter, builder.check(files).map(|checked| reporter.warnings(&checked.diagnostics)))
}

fn generate(reporter: &Reporter, builder: &Builder, files: &[PathBuf]) -> ExitCode {
    finish(
        reporter,
        builder.generate(files).map(|outcome| {
            reporter.warnings(&outcome.diagnostics);
            for path in &outcome.changed {
                reporter.note(&format!("wrote {}", path.display()));
            }
        }),
    )
}

fn explain(reporter: &Reporter, builder: &Builder, files: &[PathBuf], method: &str) -> ExitCode {
    match builder.check(files) {
        Ok(checked) => match prism_codegen::explain::explain(&checked.schema, method) {
            Ok(text) => {
                reporter.answer(&text);
                ExitCode::SUCCESS
            }
            Err(error) => reporter.usage(&error),
        },
        Err(error) => finish(reporter, Err(error)),
    }
}

fn finish(reporter: &Reporter, result: Result<(), Error>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            reporter.failed(error.diagnostics());
            ExitCode::FAILURE
        }
    }
}
