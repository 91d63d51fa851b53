//! The commands, one file each. Data goes to stdout, everything else to stderr.

mod backup;
mod completions;
mod doctor;
mod group;
mod init;
mod log;
mod requests;
mod run;
mod status;
mod submit;

use std::fmt::Display;
use std::io::{self, Write};

use crate::cli::{Command, Group};
use crate::exit::{self, Stop};
use crate::folder::Folder;
use crate::operator::{self, Answer, Request};
use crate::{attest_command, devnet, verify_command};

/// Runs a command and gives its exit code.
///
/// # Errors
/// [`Stop`], with the exit code and what to tell a person.
pub fn execute(command: &Command) -> Result<u8, Stop> {
    match command {
        Command::Devnet(args) => devnet::main(args),
        Command::Verify(args) => verify_command::main(args),
        Command::Attest(args) => attest_command::main(args),
        Command::Init(args) => init::init(args),
        Command::Group(Group::New(args)) => group::new(args),
        Command::Group(Group::Show(args)) => group::show(args),
        Command::Group(Group::Propose(args)) => group::change::propose(args),
        Command::Group(Group::Approve(args)) => group::change::approve(args),
        Command::Group(Group::History(args)) => group::history::history(args),
        Command::Group(Group::Rotate(dir)) => group::rotate::rotate(dir),
        Command::Group(Group::Join(args)) => group::join::join(args),
        Command::Run(args) => run::run(args),
        Command::Backup(args) => backup::backup(args),
        Command::Restore(args) => backup::restore(args),
        Command::Submit(args) => submit::submit(args),
        Command::Status(args) => status::status(args),
        Command::Requests(args) => requests::requests(args),
        Command::Log(args) => log::log(args),
        Command::Doctor(args) => doctor::doctor(args),
        Command::Completions { shell } => completions::completions(*shell),
        Command::Man { dir } => completions::man(dir),
    }
}

/// Writes data to stdout, with a line end if it has none. A reader that has seen enough (`| head`) is no failure.
fn say(data: impl Display) {
    let text = data.to_string();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(io::stdout(), "{text}{end}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => eprintln!("cannot write the output: {error}"),
        _ => {}
    }
}

/// Asks the running node; a failure that it answers with becomes this command's.
fn ask(folder: &Folder, request: &Request) -> Result<Answer, Stop> {
    let answer = operator::ask(folder.root(), &folder.socket(), request);
    match answer.map_err(|error| Stop::new(exit::TRY_LATER, error))? {
        Answer::Failed { code, message, help } => {
            let report = miette::MietteDiagnostic { help, ..miette::MietteDiagnostic::new(message) };
            Err(Stop::new(code, report))
        }
        answer => Ok(answer),
    }
}

/// An answer to another question than the one that was asked.
fn strange() -> Stop {
    Stop::new(exit::INTERNAL, miette::miette!("the node answered another question; is it of this version?"))
}
