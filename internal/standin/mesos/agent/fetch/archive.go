package fetch

import (
	"archive/zip"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// gunzip writes the content of name.gz beside it as name.
func gunzip(file string) error {
	source, err := os.Open(file)
	if err != nil {
		return err
	}
	defer source.Close()
	content, err := gzip.NewReader(source)
	if err != nil {
		return fmt.Errorf("extract %s: %w", file, err)
	}
	return write(content, strings.TrimSuffix(file, ".gz"))
}

// unzip extracts into dir and refuses names that lead out of it.
func unzip(file, dir string) error {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return fmt.Errorf("extract %s: %w", file, err)
	}
	defer archive.Close()
	for _, entry := range archive.File {
		if !filepath.IsLocal(entry.Name) {
			return fmt.Errorf("extract %s: '%s' leaves the sandbox", file, entry.Name)
		}
		if err := unzipOne(entry, filepath.Join(dir, entry.Name)); err != nil {
			return fmt.Errorf("extract %s: %w", file, err)
		}
	}
	return nil
}

func unzipOne(entry *zip.File, target string) error {
	if entry.FileInfo().IsDir() {
		return os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	source, err := entry.Open()
	if err != nil {
		return err
	}
	defer source.Close()
	if err := write(source, target); err != nil {
		return err
	}
	if mode := entry.Mode().Perm(); mode != 0 {
		return os.Chmod(target, mode)
	}
	return nil
}
