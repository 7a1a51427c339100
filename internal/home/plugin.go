package home

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Plugin is what a plugin file (*.hpi, *.jpi) says about itself.
type Plugin struct {
	// File is its path, Name the short name that Jenkins knows it by, whatever the file is called.
	File, Name, Version string
	// Core is the oldest Jenkins that it runs on; empty where it does not say.
	Core  string
	Needs []Need
}

// Need is one plugin that another one asks for. An optional one may be absent, but must not be older.
type Need struct {
	Name, Version string
	Optional      bool
}

// ReadPlugin reads the manifest of a plugin file.
func ReadPlugin(path string) (Plugin, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return Plugin{}, fmt.Errorf("reading plugin %s: %w", path, err)
	}
	defer archive.Close()
	file, err := archive.Open("META-INF/MANIFEST.MF")
	if err != nil {
		return Plugin{}, fmt.Errorf("reading plugin %s: it has no manifest: %w", path, err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 1<<20))
	if err != nil {
		return Plugin{}, fmt.Errorf("reading plugin %s: its manifest: %w", path, err)
	}
	fields := ReadManifest(text)
	p := Plugin{File: path, Name: fields["Short-Name"], Version: fields["Plugin-Version"], Core: fields["Jenkins-Version"]}
	if p.Name == "" {
		p.Name = fields["Extension-Name"]
	}
	if p.Name == "" {
		return p, fmt.Errorf("reading plugin %s: %w", path, errors.New("its manifest has no Short-Name"))
	}
	if p.Core == "" {
		p.Core = fields["Hudson-Version"]
	}
	p.Needs = needs(fields["Plugin-Dependencies"])
	return p, nil
}

// ReadManifest reads the main section of a jar's manifest. A long value goes on in the next line after one blank.
func ReadManifest(text []byte) map[string]string {
	fields := map[string]string{}
	last := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		if more, goesOn := strings.CutPrefix(line, " "); goesOn {
			fields[last] += more
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		last = name
		fields[name] = strings.TrimPrefix(value, " ")
	}
	return fields
}

// needs reads "metrics:4.0.2.5,jackson2-api:2.9;resolution:=optional".
func needs(text string) []Need {
	var all []Need
	for entry := range strings.SplitSeq(text, ",") {
		parts := strings.Split(strings.TrimSpace(entry), ";")
		name, version, _ := strings.Cut(parts[0], ":")
		if name == "" {
			continue
		}
		need := Need{Name: name, Version: version}
		for _, attribute := range parts[1:] {
			need.Optional = need.Optional || strings.TrimSpace(attribute) == "resolution:=optional"
		}
		all = append(all, need)
	}
	return all
}

// pluginName is the name that a plugin file has in a home: its short name, or its file's where it cannot be read.
func pluginName(path string) string {
	if p, err := ReadPlugin(path); err == nil && p.Name == filepath.Base(p.Name) {
		return p.Name
	}
	return strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".hpi"), ".jpi")
}
