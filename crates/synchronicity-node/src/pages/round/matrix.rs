//! Artifacts by name over all builders, and which contents are equal.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use synchronicity_verify::digest::Digest;
use synchronicity_verify::result::{self, BuildResult};
use synchronicity_web::model::{Artifact, Bytes, Camp, MatrixRow};

/// A row for each name; a cell for each builder, in their order.
pub(super) fn rows<'a>(results: impl Iterator<Item = Option<&'a BuildResult>>) -> Vec<MatrixRow> {
    let columns = results.map(|result| {
        let artifacts = result.and_then(|result| result.artifacts()).into_iter().flatten();
        artifacts.map(|artifact| (artifact.name.as_str(), artifact)).collect::<BTreeMap<&str, &result::Artifact>>()
    });
    let columns: Vec<BTreeMap<&str, &result::Artifact>> = columns.collect();
    let names: BTreeSet<&str> = columns.iter().flat_map(|column| column.keys().copied()).collect();
    names.into_iter().map(|name| row(name, &columns)).collect()
}

fn row(name: &str, columns: &[BTreeMap<&str, &result::Artifact>]) -> MatrixRow {
    let mut counts: BTreeMap<Digest, usize> = BTreeMap::new();
    for artifact in columns.iter().filter_map(|column| column.get(name)) {
        *counts.entry(artifact.sha256).or_default() += 1;
    }
    let mut camps: Vec<(Digest, usize)> = counts.into_iter().collect();
    camps.sort_by_key(|(content, count)| (Reverse(*count), *content));
    let cell = |column: &BTreeMap<&str, &result::Artifact>| {
        let artifact = column.get(name)?;
        let camp = camps.iter().position(|(content, _)| *content == artifact.sha256)?;
        Some(Artifact {
            sha256: artifact.sha256.to_string(),
            size: Bytes(artifact.size),
            camp: Camp(u8::try_from(camp).unwrap_or(u8::MAX)),
        })
    };
    MatrixRow { name: name.to_owned(), cells: columns.iter().map(cell).collect() }
}

#[cfg(test)]
mod tests {
    use synchronicity_verify::result::{Artifacts, Failure};

    use super::*;

    #[test]
    fn equal_contents_have_one_letter_and_the_first_is_that_of_most_builders() {
        let built = |content: u8| {
            let artifact = |name: &str, content: u8| result::Artifact {
                name: name.to_owned().try_into().unwrap(),
                size: 7,
                sha256: Digest([content; 32]),
            };
            BuildResult::Built(Artifacts::new(vec![artifact("same", 9), artifact("tool", content)]).unwrap())
        };
        let (odd, most) = (built(1), built(2));
        let failed = BuildResult::Failed(Failure::Time);
        let told = rows([Some(&odd), Some(&most), None, Some(&most), Some(&failed)].into_iter());
        let letters = |row: &MatrixRow| -> Vec<String> {
            row.cells.iter().map(|cell| cell.as_ref().map_or("-".into(), |cell| cell.camp.to_string())).collect()
        };
        assert_eq!(told.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["same", "tool"]);
        assert_eq!(letters(&told[0]), ["A", "A", "-", "A", "-"]);
        assert_eq!(letters(&told[1]), ["B", "A", "-", "A", "-"]);
    }
}
