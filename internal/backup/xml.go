package backup

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"regexp"

	"github.com/jomctl/jomctl/internal/jenkinsxml"
)

var encrypted = regexp.MustCompile(`^\s*\{[A-Za-z0-9+/]{20,}=*\}\s*$`)

// document is what was read of an XML file.
type document struct {
	// root is the name of the outermost element.
	root string
	// encrypted says that a value in it cannot be read without the keys in secrets/.
	encrypted bool
	// realm is the class of the element securityRealm.
	realm string
}

// readXML reads a file to its end.
func readXML(name string) (document, error) {
	file, err := os.Open(name)
	if err != nil {
		return document{}, err
	}
	defer file.Close()
	return parseXML(file)
}

func parseXML(from io.Reader) (document, error) {
	decoder := jenkinsxml.NewDecoder(from)
	var out document
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) && out.root != "" {
			return out, nil
		}
		if errors.Is(err, io.EOF) {
			return out, errors.New("it is empty")
		}
		if err != nil {
			return out, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if out.root == "" {
				out.root = token.Name.Local
			}
			if token.Name.Local == "securityRealm" && len(token.Attr) > 0 {
				out.realm = token.Attr[0].Value
			}
		case xml.CharData:
			out.encrypted = out.encrypted || encrypted.Match(token)
		}
	}
}
