package jenkins

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// CloudChanges compares the cloud of a config.xml that Jenkins has written with that of CloudXML, and names each element that is
// missing or different; nothing where the controller has the cloud as it should be. What the plugin adds by itself (labelSet, its own
// defaults) is no difference. Every boot writes config.xml from what was loaded, so it tells what the controller really has.
func CloudChanges(want, config []byte) ([]string, error) {
	wanted, _, err := cloudLeaves(want)
	if err != nil {
		return nil, fmt.Errorf("reading the cloud that should be: %w", err)
	}
	have, found, err := cloudLeaves(config)
	if err != nil {
		return nil, fmt.Errorf("reading the cloud of config.xml: %w", err)
	}
	if !found {
		return []string{"there is no Mesos cloud in config.xml: the Mesos plugin was not loaded, and Jenkins has dropped it"}, nil
	}
	var changes []string
	seen := map[string]bool{}
	for _, leaf := range wanted {
		seen[leaf.path] = true
		value, is := value(have, leaf.path)
		switch {
		case same(value, leaf.text):
		case !is:
			changes = append(changes, fmt.Sprintf("%s is missing, want %q", leaf.path, leaf.text))
		default:
			changes = append(changes, fmt.Sprintf("%s is %q, want %q", leaf.path, value, leaf.text))
		}
	}
	for _, leaf := range have {
		if template := templatePath.FindString(leaf.path); template != "" && !slices.ContainsFunc(wanted, func(w leafText) bool { return strings.HasPrefix(w.path, template) }) && !seen[template] {
			seen[template] = true
			changes = append(changes, strings.TrimSuffix(template, "/")+" is one template too many")
		}
	}
	return changes, nil
}

var templatePath = regexp.MustCompile(`^(mesosAgentSpecTemplates|slaveInfos)/[^/]+/`)

// same compares texts, and numbers by their value; an empty element may be left out.
func same(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}

type leafText struct{ path, text string }

func value(all []leafText, path string) (string, bool) {
	for _, leaf := range all {
		if leaf.path == path {
			return leaf.text, true
		}
	}
	return "", false
}

// references are to control characters that XML 1.1 allows, as Jenkins writes them, and Go's reader of XML 1.0 refuses.
var references = regexp.MustCompile(`&#(x0*([0-8BbCcEeFf]|1[0-9A-Fa-f])|0*([0-8]|1[124-9]|2[0-9]|3[01]));`)

// cloudLeaves are the elements without children of the first Mesos cloud, in order: paths below it, with the n-th of equal siblings as
// NAME[n].
func cloudLeaves(data []byte) (all []leafText, found bool, err error) {
	data = bytes.Replace(data, []byte("version='1.1'"), []byte("version='1.0'"), 1)
	data = bytes.Replace(data, []byte(`version="1.1"`), []byte(`version="1.0"`), 1)
	decoder := xml.NewDecoder(bytes.NewReader(references.ReplaceAll(data, nil)))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		if start, is := token.(xml.StartElement); is && start.Name.Local == CloudElement {
			all, err = leaves(decoder, "")
			return all, true, err
		}
	}
}

// leaves reads the children of the element that has just begun, to its end.
func leaves(decoder *xml.Decoder, at string) ([]leafText, error) {
	var all []leafText
	var text strings.Builder
	count := map[string]int{}
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			name := strings.TrimPrefix(t.Name.Local, "org.jenkinsci.plugins.mesos.")
			if count[name]++; count[name] > 1 {
				name = fmt.Sprintf("%s[%d]", name, count[name])
			}
			below, err := leaves(decoder, strings.TrimPrefix(at+"/"+name, "/"))
			if err != nil {
				return nil, err
			}
			all = append(all, below...)
		case xml.EndElement:
			if len(count) == 0 {
				all = append(all, leafText{at, strings.TrimSpace(text.String())})
			}
			return all, nil
		}
	}
}
