package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/home/look"
	homesync "github.com/jomctl/jomctl/internal/home/sync"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/ui"
)

func newHomeCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "home", Short: "Show, compare and restore the history of the controller's home", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newHomeStatus(a), newHomeHistory(a), newHomeDiff(a), newHomeVerify(a), newHomeRestore(a))
	return cmd
}

// openHome is the home with its history; nothing is asked yet.
func openHome(c *config.Cluster) (*lifecycle.Home, error) {
	env, err := lifecycle.Look(c)
	if err != nil {
		return nil, err
	}
	return env.HomeHistory()
}

// homeError gives an error its exit code and its fix.
func homeError(err error) error {
	var commit *look.CommitError
	switch {
	case errors.As(err, &commit):
		return &usageError{err}
	case errors.Is(err, look.ErrNone):
		return &lifecycle.Refusal{Problem: err.Error(), Fix: "run `jomctl install`; `jomctl status` shows whether the controller runs"}
	}
	return err
}

// homeCommand makes a command that only looks.
func (a *app) homeCommand(use, short string, args cobra.PositionalArgs, do func(ctx context.Context, h *lifecycle.Home, args []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
		c, err := config.Load(a.global.File)
		if err != nil {
			return err
		}
		h, err := openHome(c)
		if err != nil {
			return err
		}
		err = do(cmd.Context(), h, args)
		if h.Note != "" {
			a.say("Note: %s", h.Note)
		}
		return homeError(err)
	}}
}

func newHomeStatus(a *app) *cobra.Command {
	cmd := a.homeCommand("status", "Show what is pushed, what waits, and what is not kept", cobra.NoArgs, func(ctx context.Context, h *lifecycle.Home, _ []string) error {
		answer, err := h.Ask(ctx, look.Question{Verb: look.Status})
		if err != nil {
			return err
		}
		if err := a.writeHomeStatus(h, *answer.Status, time.Now()); err != nil {
			return err
		}
		if troubled(*answer.Status) {
			return &reported{exitFindings}
		}
		return nil
	})
	cmd.Long = "status shows what the controller says about the history of its home.\nExit code 0: all is well; 4: files are not kept, a push fails, or the controller may not start."
	return cmd
}

func troubled(s homesync.Status) bool {
	return s.Start != "" || s.Fenced || s.CommitError != "" || s.PushError != "" || len(s.Refused) > 0
}

func (a *app) writeHomeStatus(h *lifecycle.Home, s homesync.Status, now time.Time) error {
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]any{"home": h.Path, "repository": h.Config.Repository, "branch": h.Config.Branch, "status": s,
			"oldestUnpushedSeconds": s.OldestUnpushed(now).Seconds()})
	}
	var text strings.Builder
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%-12s %s\n", name, value)
		}
	}
	row("home", h.Path)
	row("repository", h.Config.Repository+" "+h.Config.Branch)
	row("epoch", strconv.FormatInt(s.Epoch, 10))
	row("files", strconv.Itoa(s.Files))
	switch age := s.OldestUnpushed(now); {
	case s.Start != "":
		row("controller", s.Start)
	case s.Fenced:
		row("controller", "another controller owns the history")
	case age > 0:
		row("not pushed", "changes since "+age.Round(time.Second).String())
	default:
		row("pushed", "everything, last "+s.LastPush.Local().Format("2006-01-02 15:04:05"))
	}
	row("commit fails", s.CommitError)
	row("push fails", s.PushError)
	row("found late", s.Unwatched)
	for _, name := range slices.Sorted(maps.Keys(s.Refused)) {
		row("not kept", name+": "+s.Refused[name])
	}
	_, err := io.WriteString(a.streams.Out, text.String())
	return err
}

func newHomeHistory(a *app) *cobra.Command {
	count := 30
	cmd := a.homeCommand("history [PATH...]", "Show the commits of the home, or of files in it, newest first", cobra.ArbitraryArgs, func(ctx context.Context, h *lifecycle.Home, args []string) error {
		answer, err := h.Ask(ctx, look.Question{Verb: look.Log, Count: count, Paths: args})
		if err != nil {
			return err
		}
		commits := append([]look.Commit{}, answer.Log...)
		if a.global.Output == formatJSON {
			return a.writeJSON(map[string]any{"commits": commits})
		}
		table := ui.NewTable("COMMIT", "TIME", "EPOCH", "WHAT")
		for _, one := range commits {
			table.Row(one.Commit[:12], one.Time.Local().Format("2006-01-02 15:04:05"), fmt.Sprint(one.Epoch), one.Subject)
		}
		return table.Write(a.streams.Out, 0)
	})
	cmd.Flags().IntVarP(&count, "count", "n", count, "how many commits")
	return cmd
}

func newHomeDiff(a *app) *cobra.Command {
	var only []string
	cmd := a.homeCommand("diff [COMMIT [COMMIT]]", "Show what changed between two commits, or since one", cobra.MaximumNArgs(2), func(ctx context.Context, h *lifecycle.Home, args []string) error {
		answer, err := h.Ask(ctx, look.Question{Verb: look.Diff, Commits: args, Paths: only})
		if err != nil {
			return err
		}
		if a.global.Output == formatJSON {
			return a.writeJSON(map[string]any{"from": answer.Commits[0], "to": answer.Commits[1], "diff": answer.Diff})
		}
		_, err = io.WriteString(a.streams.Out, answer.Diff)
		return err
	})
	cmd.Long = "diff shows what changed between two commits of `jomctl home history`, from one to the last, or in the last one.\nWhat of the home is not committed yet is shown by `jomctl home verify`."
	cmd.Flags().StringArrayVar(&only, "only", nil, "a file or folder, as jobs/NAME (repeatable)")
	return cmd
}
