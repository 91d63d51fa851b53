//! Exit codes, an interface to scripts, and the error that carries one.

use std::process::ExitCode;

use miette::Report;
use serde_json::{Value, json};
use synchronicity_verify::verify::VerifyError;

/// Done; where evidence was asked for, it is there, and so is the file in it if one was given.
pub const OK: u8 = 0;
/// Something failed that is neither the caller's doing nor expected to pass.
pub const INTERNAL: u8 = 1;
/// The command line, or a file or crate that it names, is not as it must be.
pub const USAGE: u8 = 2;
/// The evidence is damaged, forged, or of another log or crate.
pub const INVALID: u8 = 40;
/// There is no evidence: the group did not rebuild this, or did not agree on it.
pub const NO_EVIDENCE: u8 = 41;
/// The evidence holds, for other bytes than the file has.
pub const MISMATCH: u8 = 42;
/// The evidence is signed by fewer builders than the policy wants, or fewer of its groups agree.
pub const BELOW_THRESHOLD: u8 = 43;
/// Two builds, or two files, are not the same bytes.
pub const DIFFERENT: u8 = 44;
/// Not possible now: a node or the registry does not answer, or this machine could not build.
pub const TRY_LATER: u8 = 75;

/// From the gravest on: what is said of several things at once. What is not listed comes first.
const GRAVEST_FIRST: [u8; 7] = [INVALID, MISMATCH, BELOW_THRESHOLD, NO_EVIDENCE, USAGE, TRY_LATER, OK];

/// The code of a command that did several things, each with a code of its own.
pub(crate) fn gravest(codes: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |code: &u8| GRAVEST_FIRST.iter().position(|listed| listed == code);
    codes.into_iter().min_by_key(rank).unwrap_or(OK)
}

/// The same for the help of every command.
pub const HELP: &str = "\
Exit codes:
  0   done; evidence that was asked for is there
  1   failed, for a reason that the message states
  2   usage: the command line, or a file or crate that it names
  40  the evidence is invalid: damaged, forged, or of another log or crate
  41  there is no evidence: not rebuilt, or the builders did not agree
  42  the evidence holds, for other bytes than the file has
  43  fewer builders signed, or fewer groups agree, than the policy wants
  44  two builds, or two files, are not the same bytes
  75  try later: a node, the registry or this machine cannot serve now";

/// The code for a checkpoint that a policy does not accept.
pub(crate) fn refused(error: &VerifyError) -> u8 {
    if let VerifyError::BelowThreshold { .. } = error { BELOW_THRESHOLD } else { INVALID }
}

/// Why a command ended without what was asked for, and the code to exit with.
#[derive(Debug)]
pub struct Stop {
    /// One of this module's constants.
    pub code: u8,
    /// What went wrong and what to do, for people.
    pub report: Report,
    /// What programs get beside it: fields of one JSON object.
    details: Option<Value>,
}

impl Stop {
    /// A stop with this code, told by `error`.
    pub fn new(code: u8, error: impl Into<Report>) -> Self {
        Self { code, report: error.into(), details: None }
    }

    /// The same with more for programs: the fields of this JSON object.
    #[must_use]
    pub fn with(self, details: Value) -> Self {
        Self { details: Some(details), ..self }
    }

    /// Tells people on standard error and, if they asked for JSON, programs on standard output.
    pub fn tell(&self, json: bool) -> ExitCode {
        if json {
            let help = self.report.help().map(|help| help.to_string());
            let mut told = json!({ "exit": self.code, "error": self.report.to_string(), "help": help });
            if let (Some(told), Some(Value::Object(details))) = (told.as_object_mut(), &self.details) {
                told.extend(details.clone());
            }
            verbatim!("{told}");
        }
        errln!("{:?}", self.report);
        ExitCode::from(self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_false_outweighs_what_is_missing_and_nothing_outweighs_trouble_of_our_own() {
        assert_eq!(gravest([]), OK);
        assert_eq!(gravest([OK, TRY_LATER]), TRY_LATER);
        assert_eq!(gravest([NO_EVIDENCE, USAGE, OK]), NO_EVIDENCE);
        assert_eq!(gravest([NO_EVIDENCE, MISMATCH, BELOW_THRESHOLD]), MISMATCH);
        assert_eq!(gravest([MISMATCH, INVALID]), INVALID);
        assert_eq!(gravest([INVALID, INTERNAL]), INTERNAL);
    }
}
