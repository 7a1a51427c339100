package fetch

import (
	"compress/gzip"
	"fmt"
	"os"
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
