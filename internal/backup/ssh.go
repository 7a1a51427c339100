package backup

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// sftpServer is USER@HOST and the port of a repository that is reached by SFTP; the port is empty where none is named.
func sftpServer(location string) (server, port string, ok bool) {
	rest, ok := strings.CutPrefix(location, "sftp:")
	if !ok {
		return "", "", false
	}
	if at, isURL := strings.CutPrefix(rest, "//"); isURL {
		at, _, _ = strings.Cut(at, "/")
		if i := strings.LastIndex(at, ":"); i > strings.LastIndexAny(at, "@]") {
			return at[:i], at[i+1:], true
		}
		return at, "", true
	}
	server, _, found := strings.Cut(rest, ":")
	return server, "", found && server != ""
}

// SFTPServer is the name and the port of the server of such a repository.
func SFTPServer(location string) (name, port string, ok bool) {
	server, port, ok := sftpServer(location)
	if port == "" {
		port = "22"
	}
	return strings.Trim(server[strings.LastIndex(server, "@")+1:], "[]"), port, ok
}

// options are restic's for a server whose key and host keys are given: nothing else is asked, and no other key is believed.
func (r Repository) options() []string {
	server, port, ok := sftpServer(r.Location)
	if !ok || r.KeyFile == "" && r.KnownHosts == "" {
		return nil
	}
	words := []string{"ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3"}
	if r.KnownHosts != "" {
		words = append(words, "-o", "StrictHostKeyChecking=yes", "-o", "UpdateHostKeys=no", "-o", "GlobalKnownHostsFile=/dev/null", "-o", "UserKnownHostsFile="+r.KnownHosts)
	}
	if r.KeyFile != "" {
		words = append(words, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-i", r.KeyFile)
	}
	if port != "" {
		words = append(words, "-p", port)
	}
	words = append(words, server, "-s", "sftp")
	for i, word := range words {
		if strings.ContainsAny(word, " \t'\"\\") {
			words[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
		}
	}
	return []string{"-o", "sftp.command=" + strings.Join(words, " ")}
}

// secrets are the variables of the environment file, NAME=VALUE a line, as restic's backends want them.
func (r Repository) secrets() ([]string, error) {
	if r.EnvironmentFile == "" {
		return nil, nil
	}
	if err := secret(r.EnvironmentFile, "the keys of the backups' repository"); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(r.EnvironmentFile)
	if err != nil {
		return nil, fmt.Errorf("reading the keys of the backups' repository: %w", err)
	}
	return Variables(string(data))
}

// Variables reads lines NAME=VALUE; empty lines, those that begin with #, `export ` and quotes around a value are passed over.
func Variables(text string) ([]string, error) {
	var all []string
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || name == "" || strings.ContainsAny(name, " \t\"'") {
			return nil, errors.New("line " + fmt.Sprint(number) + " is not NAME=VALUE")
		}
		if n := len(value); n > 1 && value[0] == value[n-1] && strings.ContainsAny(value[:1], `"'`) {
			value = value[1 : n-1]
		}
		all = append(all, name+"="+value)
	}
	return all, nil
}
