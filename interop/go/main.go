// Checks a log of ours with Go's own transparency log library, golang.org/x/mod/sumdb, as it is.
//
// Usage: checker CHECK FOLDER
//
// FOLDER is what crates/synchronicity-verify/tests/interop.rs writes: the log in log/, each published checkpoint in
// published/SIZE, keys in keys.json, proofs made by our code in proofs.json. Prints what was counted and ends with 0,
// or says what does not hold and ends with 1.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// Keys as the test names them.
type Keys struct {
	Log       string
	Cosigners []string
}

func main() {
	checks := map[string]func(folder string) (string, error){
		"note":         checkNote,
		"cosignatures": checkCosignatures,
		"tiles":        checkTiles,
		"records":      checkRecords,
		"trees":        checkTrees,
		"our-proofs":   checkOurProofs,
	}
	if len(os.Args) != 3 || checks[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: checker note|cosignatures|tiles|records|trees|our-proofs FOLDER")
		os.Exit(2)
	}
	counted, err := checks[os.Args[1]](os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(counted)
}

// readJSON reads one of the test's files, and refuses a field that this program does not know.
func readJSON(path string, into interface{}) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// publishedSizes lists the sizes for which the log has a signed checkpoint, smallest first.
func publishedSizes(folder string) ([]int64, error) {
	files, err := os.ReadDir(filepath.Join(folder, "published"))
	if err != nil {
		return nil, err
	}
	var sizes []int64
	for _, file := range files {
		size, err := strconv.ParseInt(file.Name(), 10, 64)
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, size)
	}
	if len(sizes) == 0 {
		return nil, fmt.Errorf("no checkpoint in %s/published", folder)
	}
	sort.Slice(sizes, func(a, b int) bool { return sizes[a] < sizes[b] })
	return sizes, nil
}

// newestTree is the tree that the log's own checkpoint states.
func newestTree(folder string) (tlog.Tree, error) {
	return openTree(folder, filepath.Join(folder, "log", "checkpoint"))
}
