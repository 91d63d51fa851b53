package main

import (
	"fmt"
	"path/filepath"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// Proofs that our code made, and the roots of all sizes from 0 on, which it computed.
type Proofs struct {
	Roots     []tlog.Hash
	Inclusion []struct {
		Size, Index int64
		Leaf        tlog.Hash
		Path        tlog.RecordProof
	}
	Consistency []struct {
		Old, New int64
		Path     tlog.TreeProof
	}
}

// checkRecords lets the library make and check inclusion proofs from our tiles, for every published size.
func checkRecords(folder string) (string, error) {
	sizes, err := publishedSizes(folder)
	if err != nil {
		return "", err
	}
	proofs := 0
	for _, size := range sizes {
		tree, err := openTree(folder, filepath.Join(folder, "published", strconv.FormatInt(size, 10)))
		if err != nil {
			return "", err
		}
		reader := tlog.TileHashReader(tree, files{filepath.Join(folder, "log")})
		entries, err := readEntries(filepath.Join(folder, "log"), size)
		if err != nil {
			return "", err
		}
		for _, n := range picked(size) {
			proof, err := tlog.ProveRecord(tree.N, n, reader)
			if err != nil {
				return "", fmt.Errorf("record %d of %d: %v", n, size, err)
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, n, tlog.RecordHash(entries[n])); err != nil {
				return "", fmt.Errorf("record %d of %d: %v", n, size, err)
			}
			proofs++
		}
	}
	return fmt.Sprintf("%d records proved and checked in %d sizes", proofs, len(sizes)), nil
}

// checkTrees lets the library make and check consistency proofs from our tiles, between many sizes, against the
// roots that our code computed for them and, where the size was published, signed.
func checkTrees(folder string) (string, error) {
	newest, err := newestTree(folder)
	if err != nil {
		return "", err
	}
	var ours Proofs
	if err := readJSON(filepath.Join(folder, "proofs.json"), &ours); err != nil {
		return "", err
	}
	if int64(len(ours.Roots)) != newest.N+1 {
		return "", fmt.Errorf("%d roots for a log of %d", len(ours.Roots), newest.N)
	}
	sizes, err := publishedSizes(folder)
	if err != nil {
		return "", err
	}
	for _, size := range sizes {
		tree, err := openTree(folder, filepath.Join(folder, "published", strconv.FormatInt(size, 10)))
		if err != nil {
			return "", err
		}
		if tree.Hash != ours.Roots[size] {
			return "", fmt.Errorf("size %d: the checkpoint states another root than the list", size)
		}
	}
	reader := tlog.TileHashReader(newest, files{filepath.Join(folder, "log")})
	proofs := 0
	for _, size := range append(picked(newest.N), newest.N) {
		for _, old := range append(picked(size), size) {
			if old == 0 {
				continue
			}
			proof, err := tlog.ProveTree(size, old, reader)
			if err != nil {
				return "", fmt.Errorf("tree %d in %d: %v", old, size, err)
			}
			if err := tlog.CheckTree(proof, size, ours.Roots[size], old, ours.Roots[old]); err != nil {
				return "", fmt.Errorf("tree %d in %d: %v", old, size, err)
			}
			proofs++
		}
	}
	return fmt.Sprintf("%d pairs of trees proved and checked", proofs), nil
}

// checkOurProofs checks what our code proved, against the roots of published checkpoints.
func checkOurProofs(folder string) (string, error) {
	var ours Proofs
	if err := readJSON(filepath.Join(folder, "proofs.json"), &ours); err != nil {
		return "", err
	}
	sizes, err := publishedSizes(folder)
	if err != nil {
		return "", err
	}
	roots := map[int64]tlog.Hash{}
	for _, size := range sizes {
		tree, err := openTree(folder, filepath.Join(folder, "published", strconv.FormatInt(size, 10)))
		if err != nil {
			return "", err
		}
		roots[size] = tree.Hash
	}
	for _, p := range ours.Inclusion {
		if err := tlog.CheckRecord(p.Path, p.Size, roots[p.Size], p.Index, p.Leaf); err != nil {
			return "", fmt.Errorf("our proof of record %d of %d: %v", p.Index, p.Size, err)
		}
	}
	for _, p := range ours.Consistency {
		if err := tlog.CheckTree(p.Path, p.New, roots[p.New], p.Old, roots[p.Old]); err != nil {
			return "", fmt.Errorf("our proof of tree %d in %d: %v", p.Old, p.New, err)
		}
	}
	if len(ours.Inclusion) == 0 || len(ours.Consistency) == 0 {
		return "", fmt.Errorf("no proofs were handed over")
	}
	return fmt.Sprintf("%d of our inclusion proofs and %d of our consistency proofs hold", len(ours.Inclusion), len(ours.Consistency)), nil
}

// picked lists numbers below size: all near the ends and near each multiple of 256, and some between.
func picked(size int64) []int64 {
	var all []int64
	for n := int64(0); n < size; n++ {
		if near := n % 256; near < 2 || near == 255 || n+2 >= size || n%89 == 0 {
			all = append(all, n)
		}
	}
	return all
}
