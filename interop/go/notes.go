package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// checkNote opens every published checkpoint with the log's key alone.
func checkNote(folder string) (string, error) {
	sizes, err := publishedSizes(folder)
	if err != nil {
		return "", err
	}
	for _, size := range sizes {
		tree, err := openTree(folder, filepath.Join(folder, "published", strconv.FormatInt(size, 10)))
		if err != nil {
			return "", err
		}
		if tree.N != size {
			return "", fmt.Errorf("the checkpoint published for size %d states %d", size, tree.N)
		}
	}
	return fmt.Sprintf("%d checkpoints opened with the log's key", len(sizes)), nil
}

// openTree verifies the log's own signature and reads the tree. The cosignatures, of a type that the library does not
// know, must be kept as unverified, not taken for errors.
func openTree(folder, path string) (tlog.Tree, error) {
	var keys Keys
	if err := readJSON(filepath.Join(folder, "keys.json"), &keys); err != nil {
		return tlog.Tree{}, err
	}
	log, err := note.NewVerifier(keys.Log)
	if err != nil {
		return tlog.Tree{}, err
	}
	message, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(message, note.VerifierList(log))
	if err != nil {
		return tlog.Tree{}, err
	}
	if len(opened.Sigs) != 1 || len(opened.UnverifiedSigs) != len(keys.Cosigners) {
		return tlog.Tree{}, fmt.Errorf("%d verified and %d unverified signatures", len(opened.Sigs), len(opened.UnverifiedSigs))
	}
	origin, rest, _ := strings.Cut(opened.Text, "\n")
	if origin != log.Name() {
		return tlog.Tree{}, fmt.Errorf("origin %q of a log named %q", origin, log.Name())
	}
	// The library knows one origin only, that of Go's checksum database; below the first line the format is the same.
	return tlog.ParseTree([]byte("go.sum database tree\n" + rest))
}

// checkCosignatures opens the newest checkpoint with the log's key and those of all cosigners: the library parses the
// note and says which key must have signed; the standard library verifies.
func checkCosignatures(folder string) (string, error) {
	var keys Keys
	if err := readJSON(filepath.Join(folder, "keys.json"), &keys); err != nil {
		return "", err
	}
	log, err := note.NewVerifier(keys.Log)
	if err != nil {
		return "", err
	}
	known := []note.Verifier{log}
	for _, text := range keys.Cosigners {
		cosigner, err := newCosigner(text)
		if err != nil {
			return "", err
		}
		known = append(known, cosigner)
	}
	message, err := os.ReadFile(filepath.Join(folder, "log", "checkpoint"))
	if err != nil {
		return "", err
	}
	opened, err := note.Open(message, note.VerifierList(known...))
	if err != nil {
		return "", err
	}
	if len(opened.Sigs) != len(known) || len(opened.UnverifiedSigs) != 0 {
		return "", fmt.Errorf("%d of %d signatures are verified", len(opened.Sigs), len(known))
	}
	return fmt.Sprintf("the log's signature and %d cosignatures hold", len(keys.Cosigners)), nil
}

// cosigner is a verifier of type 04 for the library: c2sp.org/tlog-cosignature, with the standard library's Ed25519.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newCosigner(text string) (*cosigner, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("not a verifier key: %q", text)
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 33 || key[0] != 4 {
		return nil, fmt.Errorf("not the key of a cosigner: %q", text)
	}
	digest := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	hash := binary.BigEndian.Uint32(digest[:])
	if fmt.Sprintf("%08x", hash) != parts[1] {
		return nil, fmt.Errorf("the id of %q must be %08x", text, hash)
	}
	return &cosigner{parts[0], hash, key[1:]}, nil
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }
func (c *cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(signature)
	message := append([]byte(fmt.Sprintf("cosignature/v1\ntime %d\n", time)), text...)
	return ed25519.Verify(c.key, message, signature[8:])
}
