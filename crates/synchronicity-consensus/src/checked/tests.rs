use super::*;
use crate::company::Company;

fn reading(company: &Company) -> Reading {
    Reading::new(Arc::new(company.group.clone()))
}

/// The command with another signature, which is none.
fn forged(company: &Company) -> Vec<u8> {
    let mut bytes = company.submission(1, 1).to_bytes();
    *bytes.last_mut().unwrap() ^= 1;
    bytes
}

#[test]
fn the_same_bytes_are_checked_once() {
    let company = Company::of(4);
    let (reading, bytes) = (reading(&company), company.submission(1, 1).to_bytes());
    let first = reading.read(&bytes).unwrap();
    assert_eq!((first.bytes(), first.id()), (bytes.as_slice(), company.submission(1, 1).id()));
    assert!(Arc::ptr_eq(&first, &reading.clone().read(&bytes).unwrap()));
}

#[test]
fn another_signature_over_a_known_command_is_not_known() {
    let company = Company::of(4);
    let reading = reading(&company);
    reading.read(&company.submission(1, 1).to_bytes()).unwrap();
    assert!(matches!(reading.read(&forged(&company)), Err(CommandError::BadSignature(_))));
}

#[test]
fn what_was_read_unchecked_from_the_own_disk_is_not_taken_for_checked() {
    let company = Company::of(4);
    let (reading, forged) = (reading(&company), forged(&company));
    assert!(reading.own_disk().read(&forged).is_ok());
    assert!(matches!(reading.read(&forged), Err(CommandError::BadSignature(_))));
}

#[test]
fn the_signature_of_a_batch_is_checked_once_for_all_of_its_commands_and_another_one_is_checked_anew() {
    let company = Company::of(4);
    let reading = reading(&company);
    let checks = std::cell::Cell::new(0);
    let read = |command: &Command| {
        reading.read_if(&command.to_bytes(), |statement| {
            checks.set(checks.get() + 1);
            statement.is_signed()
        })
    };
    let (one, other) = (company.batch(1, 0..5), company.batch(1, 5..7));
    for command in &one {
        assert_eq!(read(command).unwrap().id(), command.id());
    }
    assert_eq!(checks.get(), 1);
    assert!(other.iter().all(|command| read(command).is_ok()));
    assert_eq!(checks.get(), 2);
}

#[test]
fn a_command_that_was_put_into_a_batch_which_is_known_is_not_believed() {
    let company = Company::of(4);
    let reading = reading(&company);
    let batch = company.batch(1, 0..4);
    reading.read(&batch[0].to_bytes()).unwrap();
    // The statement of another command of the same author in front of the batch's signature and a place in the batch: an array
    // of signature, index, size, and a path of two.
    let (wanted, signature) = (company.batch(1, 9..13)[1].to_bytes(), 1 + 66 + 1 + 1 + 1 + 2 * 34);
    let known = batch[1].to_bytes();
    let forged = [&wanted[..wanted.len() - signature], &known[known.len() - signature..]].concat();
    assert!(matches!(reading.read(&forged), Err(CommandError::BadSignature(_))));
}

#[test]
fn only_so_many_are_remembered() {
    let company = Company::of(4);
    let mut generations = Generations::default();
    let signed = Signed::new(company.submission(1, 1));
    let most = REMEMBERED_MAX.min(REMEMBERED_BYTES_MAX / signed.bytes.len());
    for number in 0..5 * most {
        generations.remember(Digest::of(&number.to_be_bytes()), signed.clone(), signed.bytes.len());
        assert!(generations.young.len() <= most && generations.old.len() <= most);
    }
    assert!(generations.find(&Digest::of(&0usize.to_be_bytes())).is_none());
    assert!(generations.find(&Digest::of(&(5 * most - 1).to_be_bytes())).is_some());
}
