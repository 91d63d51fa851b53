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
fn only_so_many_are_remembered() {
    let company = Company::of(4);
    let mut generations = Generations::default();
    let signed = Signed::new(company.submission(1, 1));
    let most = REMEMBERED_MAX.min(REMEMBERED_BYTES_MAX / signed.bytes.len());
    for number in 0..5 * most {
        generations.remember(Digest::of(&number.to_be_bytes()), &signed);
        assert!(generations.young.len() <= most && generations.old.len() <= most);
    }
    assert!(generations.find(&Digest::of(&0usize.to_be_bytes())).is_none());
    assert!(generations.find(&Digest::of(&(5 * most - 1).to_be_bytes())).is_some());
}
