// Package fetch brings a task's URIs into its sandbox, as mesos-fetcher does: http, https and local paths;
// archives are extracted. It has no cache.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// All fetches every URI into the sandbox, one after the other, and logs there what it does. Relative paths start at
// frameworksHome. A transfer that stands still for stall ends with an error.
func All(uris []mesos.CommandInfo_URI, sandbox, frameworksHome string, stall time.Duration, log io.Writer) error {
	for _, uri := range uris {
		fmt.Fprintf(log, "I%s fetcher] Fetching URI '%s'\n", time.Now().Format("20060102 15:04:05.000000"), uri.Value)
		if err := one(uri, sandbox, frameworksHome, stall, log); err != nil {
			fmt.Fprintf(log, "Failed to fetch '%s': %v\n", uri.Value, err)
			return fmt.Errorf("fetch %s: %w", uri.Value, err)
		}
		fmt.Fprintf(log, "I%s fetcher] Fetched '%s'\n", time.Now().Format("20060102 15:04:05.000000"), uri.Value)
	}
	return nil
}

func one(uri mesos.CommandInfo_URI, sandbox, home string, stall time.Duration, log io.Writer) error {
	name, err := outputName(uri)
	if err != nil {
		return err
	}
	target := filepath.Join(sandbox, name)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	scheme, rest, ok := strings.Cut(uri.Value, "://")
	switch {
	case ok && (scheme == "http" || scheme == "https"):
		err = download(uri.Value, target, stall)
	case ok && scheme == "file":
		err = copyFile(strings.TrimPrefix(rest, "localhost"), target)
	case ok:
		err = fmt.Errorf("the stand-in fetcher does not speak %s", scheme)
	case filepath.IsAbs(uri.Value):
		err = copyFile(uri.Value, target)
	case home == "":
		err = errors.New("a relative path was passed for the resource but the Mesos framework home was not specified")
	default:
		err = copyFile(filepath.Join(home, uri.Value), target)
	}
	if err != nil {
		return err
	}
	if uri.Executable != nil && *uri.Executable {
		return os.Chmod(target, 0o755)
	}
	if uri.Extract == nil || *uri.Extract {
		return extract(target, sandbox, log)
	}
	return nil
}

// outputName is output_file, or the last part of the URI without its query.
func outputName(uri mesos.CommandInfo_URI) (string, error) {
	if uri.OutputFile != nil && *uri.OutputFile != "" {
		if !filepath.IsLocal(*uri.OutputFile) {
			return "", fmt.Errorf("output file '%s' leaves the sandbox", *uri.OutputFile)
		}
		return *uri.OutputFile, nil
	}
	name := path.Base(uri.Value)
	if parsed, err := url.Parse(uri.Value); err == nil && parsed.Scheme != "" {
		name = path.Base(parsed.Path)
	}
	if name == "" || name == "." || name == "/" || name == ".." {
		return "", fmt.Errorf("malformed URI '%s': it does not end in a file name", uri.Value)
	}
	return name, nil
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	if info, err := source.Stat(); err != nil || info.IsDir() {
		return fmt.Errorf("'%s' is no file", from)
	}
	return write(source, to)
}

func write(source io.Reader, to string) error {
	file, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, source); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

// download gives up when nothing arrives for stall; the whole may take as long as it needs.
func download(from, to string, stall time.Duration) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	watchdog := time.AfterFunc(stall, cancel)
	defer watchdog.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("unexpected HTTP response code %d", response.StatusCode)
	}
	return write(&watched{response.Body, watchdog, stall}, to)
}

// watched restarts the watchdog with every read that brings something.
type watched struct {
	io.Reader
	watchdog *time.Timer
	stall    time.Duration
}

func (w *watched) Read(buffer []byte) (int, error) {
	n, err := w.Reader.Read(buffer)
	if n > 0 {
		w.watchdog.Reset(w.stall)
	}
	return n, err
}

// tarballs are the file endings that tar extracts.
var tarballs = []string{".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz"}

func extract(file, dir string, log io.Writer) error {
	for _, ending := range tarballs {
		if !strings.HasSuffix(file, ending) {
			continue
		}
		cmd := exec.Command("tar", "-C", dir, "-xf", file)
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("extract with tar: %w", err)
		}
		return nil
	}
	switch {
	case strings.HasSuffix(file, ".zip"):
		return unzip(file, dir)
	case strings.HasSuffix(file, ".gz"):
		return gunzip(file)
	}
	return nil
}
