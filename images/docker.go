package images

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Docker is the Docker Engine that the docker program talks to, with its contexts, credentials and proxies.
type Docker struct {
	Program string    // docker by default
	Log     io.Writer // what builds and pushes say; nil for nowhere
}

// talk runs docker with its output in the log as well.
func (d Docker) talk(ctx context.Context, in io.Reader, args ...string) error {
	_, err := d.exec(ctx, d.Log, in, args...)
	return err
}

func (d Docker) run(ctx context.Context, args ...string) (string, error) {
	return d.exec(ctx, nil, nil, args...)
}

// exec runs docker and gives its stdout; the end of what it said is in the error.
func (d Docker) exec(ctx context.Context, log io.Writer, in io.Reader, args ...string) (string, error) {
	program := d.Program
	if program == "" {
		program = "docker"
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = d.environment(ctx, args)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &said
	if log != nil {
		cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, log), io.MultiWriter(&said, log)
	}
	cmd.WaitDelay = 5 * time.Second // a context that nobody reads any more must not hold it
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("run %s: %w (apt-get install docker.io)", program, err)
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		// Not wrapped: docker's exit code is not that of who calls.
		return "", fmt.Errorf("%s %s: %v: %s", program, args[0], err, lastLines(out.String()+"\n"+said.String(), 5)) // what is wrong is said last
	}
	return out.String(), nil
}

// environment lets a build use BuildKit where it is there. From 23 on docker decides itself, by whether it has buildx; an older one has it
// built in, and must be told. The builder is the engine itself: another one would not know the link that a build stands on.
func (d Docker) environment(ctx context.Context, args []string) []string {
	env := os.Environ()
	if args[0] != "build" {
		return env
	}
	if os.Getenv("BUILDX_BUILDER") == "" {
		env = append(env, "BUILDX_BUILDER=default")
	}
	if _, said := os.LookupEnv("DOCKER_BUILDKIT"); said {
		return env
	}
	version, err := d.run(ctx, "version", "--format", "{{.Client.Version}}")
	major, _, _ := strings.Cut(strings.TrimSpace(version), ".")
	if n, wrong := strconv.Atoi(major); err == nil && wrong == nil && n >= 18 && n < 23 {
		env = append(env, "DOCKER_BUILDKIT=1")
	}
	return env
}

// lastLines is the end of an output, without the colours that builds have even where nobody looks, and without empty lines.
func lastLines(text string, n int) string {
	text = regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(text, "")
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" })
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}

// Has says whether an image is there.
func (d Docker) Has(ctx context.Context, ref string) (bool, error) {
	out, err := d.run(ctx, "image", "ls", "--quiet", "--no-trunc", ref)
	return strings.TrimSpace(out) != "", err
}

// ID gives the id of an image, after fetching it where it is not there.
func (d Docker) ID(ctx context.Context, ref string) (string, error) {
	id, err := d.run(ctx, "image", "inspect", "--format", "{{.Id}}", ref)
	if err == nil {
		return strings.TrimSpace(id), nil
	}
	if err := d.talk(ctx, nil, "pull", "--quiet", ref); err != nil {
		return "", fmt.Errorf("fetch the base image %s: %w", ref, err)
	}
	id, err = d.run(ctx, "image", "inspect", "--format", "{{.Id}}", ref)
	return strings.TrimSpace(id), err
}

// Build builds a context and names the image.
func (d Docker) Build(ctx context.Context, ref string, args map[string]string, context io.Reader) error {
	command := []string{"build", "--tag", ref, "--label", "jomctl=" + ref}
	for _, key := range slices.Sorted(maps.Keys(args)) {
		command = append(command, "--build-arg", key+"="+args[key])
	}
	return d.talk(ctx, context, append(command, "-")...)
}

// List gives the images whose names begin with Repository. Somebody else may remove one meanwhile, for which docker fails: then it looks again.
func (d Docker) List(ctx context.Context) (images []Image, err error) {
	for range 3 {
		if images, err = d.list(ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	return images, err
}

func (d Docker) list(ctx context.Context) ([]Image, error) {
	out, err := d.run(ctx, "image", "ls", "--no-trunc", "--filter", "reference="+Repository+"*", "--format", "{{.Repository}}:{{.Tag}}")
	if err != nil || strings.TrimSpace(out) == "" {
		return []Image{}, err
	}
	refs := strings.Fields(out)
	slices.Sort(refs)
	text, err := d.run(ctx, append([]string{"image", "inspect"}, refs...)...)
	if err != nil {
		return nil, err
	}
	var inspected []struct {
		ID                    string `json:"Id"`
		Created               time.Time
		Size                  int64
		RepoTags, RepoDigests []string
		Config                struct{ Labels map[string]string }
	}
	if err := json.Unmarshal([]byte(text), &inspected); err != nil {
		return nil, fmt.Errorf("read docker's list of images: %w", err)
	}
	if len(inspected) != len(refs) {
		return nil, fmt.Errorf("read docker's list of images: it tells of %d instead of %d", len(inspected), len(refs))
	}
	images := make([]Image, 0, len(refs))
	for i, one := range inspected {
		image := Image{Ref: refs[i], ID: one.ID, Created: one.Created, Bytes: one.Size, Content: one.Config.Labels["org.jomctl.content"], Names: []string{}, Digests: append([]string{}, one.RepoDigests...)}
		for _, name := range one.RepoTags {
			if strings.HasSuffix(name, "/"+image.Ref) {
				image.Names = append(image.Names, name)
			}
		}
		images = append(images, image)
	}
	return images, nil
}

// Remove takes a name from an image.
func (d Docker) Remove(ctx context.Context, ref string) error {
	_, err := d.run(ctx, "image", "rm", ref)
	return err
}
