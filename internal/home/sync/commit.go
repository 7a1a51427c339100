package sync

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/keep"
)

func (e *Engine) commitLoop(ctx context.Context) {
	scan := time.NewTicker(e.o.Scan)
	defer scan.Stop()
	numbers := time.NewTicker(e.o.Numbers)
	defer numbers.Stop()
	tidy := time.NewTicker(time.Hour)
	defer tidy.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-numbers.C:
			if !e.mailbox.numbered() && e.blind == nil {
				continue
			}
			if err := e.commitNumbers(ctx); err != nil && ctx.Err() == nil {
				e.o.Say("the next build numbers: %v", err)
			}
			notify(e.wake)
		case <-tidy.C:
			if err := e.o.Repo.Tidy(ctx); err != nil && ctx.Err() == nil {
				e.o.Say("packing the local repository: %v", err)
			}
			continue
		case <-scan.C:
			e.mailbox.put(event{Overflow: true})
		case <-e.mailbox.signal:
		case <-timer.C:
		}
		due, some := e.mailbox.due()
		if !some {
			continue
		}
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			continue
		}
		work, first := e.mailbox.take()
		if err := e.round(ctx, work, first); err != nil && ctx.Err() == nil {
			e.mailbox.back(work, first)
			e.o.Say("the home's history: %v", err)
			e.reload(ctx)
		}
		if due, some := e.mailbox.due(); some {
			timer.Reset(max(time.Until(due), e.o.Quiet))
		}
	}
}

// round makes one commit of what differs, or none.
func (e *Engine) round(ctx context.Context, work dirty, first time.Time) error {
	c, err := e.tree.look(work, e.add, e.forget)
	e.noteTree()
	if err == nil {
		err = e.o.Alive()
	}
	if err != nil {
		e.report(func(s *Status) { s.CommitError = err.Error() })
		return err
	}
	if len(c.retry) > 0 {
		var again dirty
		for _, name := range c.retry {
			again.add(event{Name: name})
		}
		e.mailbox.back(again, first)
		notify(e.mailbox.signal)
	}
	if len(c.list) == 0 {
		e.report(func(s *Status) { s.CommitError = "" })
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	head, done, err := e.commit(ctx, c.list)
	if err != nil {
		e.reportLocked(func(s *Status) { s.CommitError = err.Error() })
		return err
	}
	e.tree.apply(done)
	e.head, e.status.Files = head, len(e.tree.nodes)
	if e.unpushed.IsZero() {
		e.unpushed = first
	}
	if e.later.IsZero() {
		e.later = first
	}
	e.reportLocked(func(s *Status) { s.CommitError = "" })
	notify(e.wake)
	return nil
}

// commit writes the changes on top of the head and returns those that were written.
func (e *Engine) commit(ctx context.Context, list []change) (git.Hash, []change, error) {
	var done []change
	owner := claim.Owner{Epoch: e.claimed.Epoch, Host: e.o.Host, Task: e.o.Task}
	message := Message(summaries(list)) + "\n\n" + claim.Trailers(owner)
	if version := jenkinsVersion(e.o.Home); version != "" {
		message += "Jenkins-Version: " + version + "\n"
	}
	next := git.Commit{Ref: e.o.Repo.Main(), Parent: e.head, Message: message, When: time.Now()}
	if edits, small := editsOf(list); small {
		head, err := e.o.Repo.Edit(ctx, next, edits)
		if !errors.Is(err, git.ErrUnfit) {
			return head, list, err
		}
	}
	head, err := e.o.Repo.Commit(ctx, next, func(out *git.Changes) error {
		done = e.write(out, list)
		return nil
	})
	return head, done, err
}

// fewEdits is up to how many changes a commit is made of single objects; more are better off in a pack.
const fewEdits = 64

func editsOf(list []change) ([]git.Edit, bool) {
	if len(list) > fewEdits {
		return nil, false
	}
	var edits []git.Edit
	for _, one := range list {
		if one.data == nil && !one.deleted {
			return nil, false // too much to hold
		}
		edits = append(edits, git.Edit{Path: one.name, Delete: one.deleted, Data: one.data, Executable: one.node.exec})
	}
	return edits, true
}

// write puts the changes into a commit, deletions first, and returns those that it could write.
func (e *Engine) write(out *git.Changes, list []change) []change {
	var done []change
	for _, one := range list {
		if one.deleted {
			out.Delete(one.name)
			done = append(done, one)
		}
	}
	for _, one := range list {
		if one.deleted || one.data == nil && !e.again(&one) {
			continue
		}
		out.Write(one.name, one.data, one.node.exec)
		one.data = nil
		done = append(done, one)
	}
	return done
}

// again reads a content that was too much to hold. One that cannot be read now is left to a later round.
func (e *Engine) again(one *change) bool {
	name := one.node.home
	if name == "" {
		name = one.name
	}
	data, stamp, err := keep.Read(e.o.Home, name)
	if err != nil {
		e.mailbox.put(event{Name: name})
		return false
	}
	one.data = keep.Normal(name, data)
	one.node = node{hash: git.BlobHash(one.data), exec: stamp.Executable, seen: stamp, home: one.node.home}
	return true
}

// reload gets over a local repository whose branch is not what this engine left: the next round looks at everything.
func (e *Engine) reload(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	refs, err := e.o.Repo.Refs(ctx)
	if err != nil || refs[e.o.Repo.Main()] == e.head {
		return
	}
	if err := e.tree.load(ctx, e.o.Repo, refs[e.o.Repo.Main()]); err == nil {
		e.head = refs[e.o.Repo.Main()]
		e.mailbox.put(event{Overflow: true})
	}
}

func (e *Engine) add(folder string) {
	if e.watch == nil {
		return
	}
	if err := e.watch.add(folder); err != nil && e.blind == nil {
		e.blind = err
		e.o.Say("%v: changes there are found when the home is looked through, every %s (more watches: sysctl fs.inotify.max_user_watches)", err, e.o.Scan)
	}
}

func (e *Engine) forget(folders []string) {
	if e.watch != nil {
		e.watch.forget(folders)
	}
}

var versionElement = regexp.MustCompile(`<version>([^<]{1,60})</version>`)

func jenkinsVersion(home string) string {
	file, err := os.Open(path.Join(home, "config.xml"))
	if err != nil {
		return ""
	}
	defer file.Close()
	head := make([]byte, 2048)
	n, _ := file.Read(head)
	if found := versionElement.FindSubmatch(head[:n]); found != nil {
		return string(found[1])
	}
	return ""
}

// Summary is one changed file in words: what it belongs to, and what happened to it.
type Summary struct{ Subject, What string }

func summaries(list []change) []Summary {
	var all []Summary
	for _, one := range list {
		what := "updated"
		switch {
		case one.deleted:
			what = "deleted"
		case one.isNew:
			what = "added"
		}
		all = append(all, Summary{strings.TrimSuffix(one.name, "/config.xml"), what})
	}
	return all
}

// Message is the first line of a commit: `jobs/a: updated; jobs/b: deleted (2 files)`.
func Message(list []Summary) string {
	const most = 4
	var text strings.Builder
	for i, one := range list {
		part := one.Subject + ": " + one.What
		if i == most || i > 0 && text.Len()+len(part) > 100 {
			fmt.Fprintf(&text, "; and %d more", len(list)-i)
			break
		}
		if i > 0 {
			text.WriteString("; ")
		}
		text.WriteString(strings.Map(printable, part))
	}
	if len(list) > 1 {
		fmt.Fprintf(&text, " (%d files)", len(list))
	}
	return text.String()
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '?'
	}
	return r
}

var errNotPushed = errors.New("the history could not be pushed")
