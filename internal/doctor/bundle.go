package doctor

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// Limits of one item of a bundle.
const (
	itemTimeout = 30 * time.Second
	itemBytes   = 4 << 20
	// itemsAtOnce is how many are fetched at the same time.
	itemsAtOnce = 6
)

// Manifest is what a bundle holds, as its MANIFEST.json says.
type Manifest struct {
	Created time.Time `json:"created"`
	// Version is that of the program that made it.
	Version string `json:"version"`
	Cluster string `json:"cluster"`
	Items   []Item `json:"items"`
}

// Item is one file of a bundle.
type Item struct {
	Name  string `json:"name"`
	Bytes int    `json:"bytes"`
	// Cut says that only a part of it is there: the end of a log, the beginning of an answer.
	Cut bool `json:"cut,omitempty"`
	// Error says why it is not there, or not all of it.
	Error string `json:"error,omitempty"`
}

// Missing are the items that could not be fetched.
func (m Manifest) Missing() []Item {
	var missing []Item
	for _, item := range m.Items {
		if item.Error != "" {
			missing = append(missing, item)
		}
	}
	return missing
}

// part is one item and how it is got. keepEnd says which end of it is kept when it is too long.
type part struct {
	name    string
	keepEnd bool
	fetch   func(ctx context.Context) (string, error)
}

// Bundle writes one tar.gz with the logs of all units, the state of all parts, versions, the journals of the runs, the
// cluster file and what the checks say. Secrets are taken out of every item. What cannot be fetched is in MANIFEST.json
// with the reason; the error is only about writing.
func Bundle(ctx context.Context, in Inputs, w io.Writer) (Manifest, error) {
	f := newFacts(ctx, in)
	manifest := Manifest{Created: time.Now().UTC(), Version: in.Version, Cluster: in.Cluster.Name, Items: []Item{}}
	packed := gzip.NewWriter(w)
	archive := tar.NewWriter(packed)
	folder := "support-" + in.Cluster.Name + "-" + manifest.Created.Format("20060102T150405") + "/"
	write := func(name, text string) error {
		header := &tar.Header{Name: folder + name, Mode: 0o600, Size: int64(len(text)), ModTime: manifest.Created, Typeflag: tar.TypeReg}
		if err := archive.WriteHeader(header); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if _, err := io.WriteString(archive, text); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		return nil
	}
	var failure error
	f.collect(ctx, f.parts(), func(item Item, text string) {
		manifest.Items = append(manifest.Items, item)
		if failure == nil && text != "" {
			failure = write(item.Name, text)
		}
	})
	if failure != nil {
		return manifest, failure
	}
	if err := ctx.Err(); err != nil {
		return manifest, fmt.Errorf("collect the bundle: %w", err)
	}
	if err := write("MANIFEST.json", jsonText(manifest)); err != nil {
		return manifest, err
	}
	if err := archive.Close(); err != nil {
		return manifest, fmt.Errorf("write the archive: %w", err)
	}
	if err := packed.Close(); err != nil {
		return manifest, fmt.Errorf("write the archive: %w", err)
	}
	return manifest, nil
}

// collect fetches some parts at the same time and hands them over one by one, in their order.
func (f *facts) collect(ctx context.Context, parts []part, take func(Item, string)) {
	type got struct {
		item Item
		text string
	}
	done := make([]chan got, len(parts))
	for i := range done {
		done[i] = make(chan got, 1)
	}
	slots := make(chan struct{}, itemsAtOnce)
	var group sync.WaitGroup
	group.Go(func() {
		for i, one := range parts {
			slots <- struct{}{}
			group.Go(func() {
				item, text := f.fetch(ctx, one)
				done[i] <- got{item, text}
				<-slots
			})
		}
	})
	for i := range parts {
		one := <-done[i]
		take(one.item, one.text)
	}
	group.Wait()
}

// fetch gets one part within its limits, without secrets.
func (f *facts) fetch(ctx context.Context, p part) (item Item, text string) {
	ctx, cancel := context.WithTimeout(ctx, itemTimeout)
	defer cancel()
	item = Item{Name: p.name}
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // whatever ignores ctx must not hold up the rest
		defer func() {
			if fault := recover(); fault != nil {
				answered <- answer{err: fmt.Errorf("collecting it failed: %v at %.400s", fault, debug.Stack())}
			}
		}()
		text, err := p.fetch(ctx)
		answered <- answer{text, err}
	}()
	var err error
	select {
	case a := <-answered:
		text, err = a.text, a.err
	case <-ctx.Done():
		err = fmt.Errorf("it did not come in time: %w", ctx.Err())
	}
	if len(text) > itemBytes {
		item.Cut = true
		text = cut(text, p.keepEnd)
	}
	text = f.redact.Text(strings.ToValidUTF8(text, "?"))
	item.Bytes = len(text)
	if err != nil {
		item.Error = clip(f.redact.Text(err.Error()))
	}
	return item, text
}

// cut keeps one end of a text; the end begins with a whole line, as half a line may be half a secret.
func cut(text string, keepEnd bool) string {
	if !keepEnd {
		return text[:itemBytes]
	}
	text = text[len(text)-itemBytes:]
	if _, rest, found := strings.Cut(text, "\n"); found {
		return rest
	}
	return text
}

func jsonText(value any) string {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Sprintf("cannot be written as JSON: %v\n%+v\n", err, value)
	}
	return string(data) + "\n"
}
