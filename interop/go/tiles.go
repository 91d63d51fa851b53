package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// files is a log in a folder, for the library to read. The paths of c2sp.org/tlog-tiles are the library's without the
// height of tiles, which is always 8.
type files struct{ root string }

func (f files) Height() int                     { return 8 }
func (f files) SaveTiles([]tlog.Tile, [][]byte) {}
func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(f.root, path))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// checkTiles reads every leaf's hash of every published size: the library authenticates the tiles against the root.
// The bundles must hold the entries with these hashes.
func checkTiles(folder string) (string, error) {
	sizes, err := publishedSizes(folder)
	if err != nil {
		return "", err
	}
	leaves := 0
	for _, size := range sizes {
		tree, err := openTree(folder, filepath.Join(folder, "published", strconv.FormatInt(size, 10)))
		if err != nil {
			return "", err
		}
		reader := tlog.TileHashReader(tree, files{filepath.Join(folder, "log")})
		if root, err := tlog.TreeHash(tree.N, reader); err != nil || root != tree.Hash {
			return "", fmt.Errorf("size %d: root %v of the tiles, %v of the checkpoint: %v", size, root, tree.Hash, err)
		}
		var indexes []int64
		for n := int64(0); n < tree.N; n++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, n))
		}
		hashes, err := reader.ReadHashes(indexes)
		if err != nil {
			return "", fmt.Errorf("size %d: %v", size, err)
		}
		entries, err := readEntries(filepath.Join(folder, "log"), size)
		if err != nil {
			return "", fmt.Errorf("size %d: %v", size, err)
		}
		for n, entry := range entries {
			if tlog.RecordHash(entry) != hashes[n] {
				return "", fmt.Errorf("size %d: the bundle's entry %d has another hash than the tile", size, n)
			}
		}
		leaves += len(entries)
	}
	return fmt.Sprintf("%d leaves in the tiles and bundles of %d sizes", leaves, len(sizes)), nil
}

// readEntries reads the bundles that a log of this size has. The library knows no bundles: its records are text.
func readEntries(root string, size int64) ([][]byte, error) {
	var entries [][]byte
	for n := int64(0); n*256 < size; n++ {
		path, want := fmt.Sprintf("tile/entries/%03d", n), int64(256)
		if rest := size - n*256; rest < 256 {
			path, want = fmt.Sprintf("%s.p/%d", path, rest), rest
		}
		bundle, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return nil, err
		}
		before := int64(len(entries))
		for len(bundle) >= 2 {
			length := int(binary.BigEndian.Uint16(bundle))
			if len(bundle) < 2+length {
				break
			}
			entries = append(entries, bundle[2:2+length])
			bundle = bundle[2+length:]
		}
		if got := int64(len(entries)) - before; got != want || len(bundle) != 0 {
			return nil, fmt.Errorf("%s: %d entries and %d bytes left, want %d entries", path, got, len(bundle), want)
		}
	}
	return entries, nil
}
