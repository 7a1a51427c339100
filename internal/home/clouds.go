package home

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"github.com/jomctl/jomctl/internal/wholefile"
)

// cloudElement and cloudName are what tells the cloud in config.xml that is ours from all others: the plugin gives every cloud of its own
// this name.
const (
	cloudElement = "org.jenkinsci.plugins.mesos.MesosCloud"
	cloudName    = "MesosCloud"
)

// mergeClouds puts the cloud of the file clouds into the home's config.xml, so that a changed cloud reaches a home that is there already.
// Everything else in config.xml stays as it is, byte by byte. A config.xml that cannot be read is left alone, and is an error.
func mergeClouds(home, clouds string) error {
	path := filepath.Join(home, "config.xml")
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // a link stays one
	}
	ours, err := os.ReadFile(clouds)
	if err != nil {
		return fmt.Errorf("reading the cloud for config.xml: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("putting the cloud into config.xml: %w", err)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("putting the cloud into config.xml: %w", err)
	}
	merged, err := withCloud(old, ours)
	if err != nil {
		return fmt.Errorf("putting the cloud into %s, which is left as it is: %w", path, err)
	}
	if bytes.Equal(merged, old) {
		return nil
	}
	return wholefile.Write(path, merged, info.Mode().Perm())
}

// withCloud is config.xml with the one cloud that the element <clouds> of ours has.
func withCloud(config, ours []byte) ([]byte, error) {
	mine, err := place(ours, 1)
	if err != nil {
		return nil, fmt.Errorf("the cloud: %w", err)
	}
	if mine.cloud.empty() {
		return nil, errors.New("the cloud: there is no Mesos cloud in it")
	}
	at, err := place(config, 2)
	if err != nil {
		return nil, fmt.Errorf("config.xml: %w", err)
	}
	cloud := ours[mine.cloud.from:mine.cloud.to]
	whole := append(append([]byte("<clouds>\n    "), cloud...), "\n  </clouds>"...)
	switch {
	case !at.cloud.empty():
		return at.cloud.replace(config, cloud), nil
	case at.list.empty() && !bytes.HasPrefix(config[at.end:], []byte("</")):
		return nil, errors.New("config.xml: there is nothing in it")
	case at.list.empty():
		return span{at.end, at.end}.replace(config, append(append([]byte("  "), whole...), '\n')), nil
	case at.closed:
		return at.list.replace(config, whole), nil
	default:
		end := at.list.to - len("</clouds>")
		if !bytes.HasSuffix(config[:at.list.to], []byte("</clouds>")) {
			return nil, errors.New("config.xml: the end of <clouds> is written in a way that is not known")
		}
		return span{end, end}.replace(config, append(append([]byte("  "), cloud...), "\n  "...)), nil
	}
}

// span is a piece of a text.
type span struct{ from, to int }

func (s span) empty() bool { return s.to == 0 }

func (s span) replace(text, by []byte) []byte {
	return bytes.Join([][]byte{text[:s.from], by, text[s.to:]}, nil)
}

// places are where <clouds> and our cloud in it are, and where the root element's end begins. closed says that <clouds/> has no content.
type places struct {
	list, cloud span
	end         int
	closed      bool
}

// references are to control characters that XML 1.1, as Jenkins writes it, allows, and Go's reader of XML 1.0 refuses.
var references = regexp.MustCompile(`&#(x0*([0-8BbCcEeFf]|1[0-9A-Fa-f])|0*([0-8]|1[124-9]|2[0-9]|3[01]));`)

// readable is a text of the same length that Go can read.
func readable(text []byte) []byte {
	text = references.ReplaceAllFunc(text, func(found []byte) []byte { return bytes.Repeat([]byte("."), len(found)) })
	if i := bytes.Index(text, []byte("?>")); i > 0 {
		head := regexp.MustCompile(`version=(['"])1\.1`).ReplaceAll(text[:i], []byte("version=${1}1.0"))
		text = append(bytes.Clone(head), text[i:]...)
	}
	return text
}

// place finds the list of clouds at a depth: 1 is the root itself, 2 a child of the root.
func place(text []byte, want int) (places, error) {
	var found places
	decoder := xml.NewDecoder(bytes.NewReader(readable(text)))
	depth, inList, inCloud, start := 0, 0, 0, 0
	name, named := "", false
	for {
		before := int(decoder.InputOffset())
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			if depth != 0 || found.end == 0 {
				return found, errors.New("it has no root element")
			}
			return found, nil
		}
		if err != nil {
			return found, err
		}
		after := int(decoder.InputOffset())
		switch t := token.(type) {
		case xml.StartElement:
			depth++
			switch {
			case depth == want && t.Name.Local == "clouds":
				inList, found.list.from = depth, before
			case inList > 0 && depth == inList+1 && t.Name.Local == cloudElement:
				inCloud, start, name = depth, before, ""
			}
			named = inCloud > 0 && depth == inCloud+1 && t.Name.Local == "name"
		case xml.CharData:
			if named {
				name += string(t)
			}
		case xml.EndElement:
			named = false
			switch {
			case depth == inCloud:
				if name == cloudName && found.cloud.empty() {
					found.cloud = span{start, after}
				}
				inCloud = 0
			case depth == inList:
				found.list.to = after
				found.closed = before == after && bytes.HasSuffix(text[:after], []byte("/>"))
				inList = 0
			}
			if depth == 1 {
				found.end = before
			}
			depth--
		}
	}
}
