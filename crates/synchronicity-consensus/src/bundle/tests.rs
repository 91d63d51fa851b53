use super::*;
use crate::company::Company;

fn commands(count: usize) -> Vec<Arc<Signed>> {
    let company = Company::of(4);
    (0..count).map(|number| Signed::new(company.submission(0, number))).collect()
}

#[test]
fn what_is_written_reads_back_and_a_message_is_never_too_long() {
    for count in [1, 2, 20, 100] {
        let waiting = commands(count);
        let (message, written) = write(&waiting).unwrap();
        assert!(written == count || written > 10, "{written} of {count}");
        assert!(message.len() <= BUNDLE_BYTES_MAX);
        let expected: Vec<&[u8]> = waiting[..written].iter().map(|command| command.bytes()).collect();
        assert_eq!(read(&message), Ok(expected));
    }
    assert_eq!(write(&[]), None);
}

#[test]
fn a_single_command_travels_as_it_always_did() {
    let waiting = commands(1);
    assert_eq!(write(&waiting).unwrap().0, waiting[0].bytes());
}

#[test]
fn a_message_that_is_cut_or_goes_on_is_refused_and_so_are_lengths_that_lie() {
    let (message, _) = write(&commands(3)).unwrap();
    for at in 1..message.len() {
        let cut = read(&message[..at]);
        // Between two commands a cut leaves a shorter bundle.
        assert!(cut.is_err() || cut.unwrap().len() == 2, "cut after {at} bytes");
    }
    assert!(read(&[message.as_slice(), &[0]].concat()).is_err());
    assert!(read(&[1, 0xff, 0xff, 0xff, 0xff]).is_err());
    assert!(read(&vec![1; BUNDLE_BYTES_MAX + 1]).is_err());
    assert!(read(&vec![0x82; COMMAND_BYTES_MAX + 1]).is_err());
}
