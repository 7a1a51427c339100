package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/jomctl/jomctl/bundles"
	"github.com/jomctl/jomctl/provision"
)

// configVariable is the variable of the app that holds the digest.
const configVariable = "JOMCTL_CONFIG"

// digest identifies everything that the controller reads at its start.
func (c controller) digest(files []provision.File) (string, error) {
	sum := sha256.New()
	for _, file := range files {
		fmt.Fprintf(sum, "%s %d\n", file.Path, len(file.Data))
		sum.Write(file.Data)
	}
	image, err := c.env.runs(c.env.wantsController())
	if err != nil {
		return "", err
	}
	if image.Ref != "" {
		fmt.Fprintln(sum, image.Ref)
	}
	if !c.selfContained() { // otherwise they are in the image
		var all []brought
		if all, err = c.toBring(); err != nil {
			return "", err
		}
		sum.Write([]byte(marks(all)))
		err = c.pluginDigest(sum)
	}
	return hex.EncodeToString(sum.Sum(nil)), err
}

// document is the controller's app. A change of any file that the controller reads at its start changes the document, so
// that a deployment restarts it.
func (c controller) document(files []provision.File) ([]byte, error) {
	digest, err := c.digest(files)
	if err != nil {
		return nil, err
	}
	image, err := c.env.runs(c.env.wantsController())
	if err != nil {
		return nil, err
	}
	j := c.env.Cluster.Jenkins
	constraints := append([][]string{}, j.App.Constraints...)
	if host, ok := provision.HomeHost(c.env.Cluster); ok && !pinned(constraints) {
		constraints = append(constraints, []string{"hostname", "CLUSTER", host.Address})
	}
	jomhome := shellQuote(c.program("jomhome"))
	doc, err := c.env.Release.Document(bundles.App{
		ID:            c.env.AppID(),
		Command:       "exec " + jomhome + " run --config " + shellQuote(c.runFile()),
		HealthCommand: jomhome + " check http://$HOST:$PORT0/login",
		CPUs:          j.App.CPUs, MemMiB: j.App.Mem.MiB(), HTTPPort: j.App.HTTPPort, AgentPort: j.App.AgentPort,
		GraceSeconds: int(j.App.Grace.Duration().Seconds()), Constraints: constraints,
		Labels:  map[string]string{"MARATHON_SINGLE_INSTANCE_APP": "true"},
		Image:   image.Ref,
		Volumes: c.volumes(),
		Env:     map[string]string{configVariable: digest, "JOMCTL_RELEASE": c.env.Release.Name},
	})
	if err != nil {
		return nil, err
	}
	return tuned(doc, c.env.Cluster.Tuning)
}

// pluginDigest adds name, size and time of each plugin; their content would be too much to read for every look.
func (c controller) pluginDigest(sum interface{ Write([]byte) (int, error) }) error {
	dir := c.plugins()
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("reading the plugins: %w", err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return fmt.Errorf("reading the plugins: %w", err)
		}
		fmt.Fprintf(sum, "%s %d %d\n", entry.Name(), info.Size(), info.ModTime().Unix())
	}
	return nil
}

func pinned(constraints [][]string) bool {
	for _, constraint := range constraints {
		if len(constraint) == 3 && strings.TrimPrefix(constraint[0], "@") == "hostname" {
			return true
		}
	}
	return false
}

func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
