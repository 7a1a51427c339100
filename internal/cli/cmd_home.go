package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
	"github.com/jomctl/jomctl/internal/home/history"
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

// kept is a home with its history, as this machine sees it.
type kept struct {
	env    *lifecycle.Env
	home   string
	config history.Config
	repo   *git.Repo
	head   git.Hash
}

func openHome(ctx context.Context, c *config.Cluster) (*kept, error) {
	env, err := lifecycle.Look(c)
	if err != nil {
		return nil, err
	}
	k := &kept{env: env}
	if k.home, k.config, err = env.HomeHistory(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(k.config.RepoDir()); errors.Is(err, fs.ErrNotExist) {
		return nil, &lifecycle.Refusal{Problem: "the controller has kept no history of its home yet: there is no " + k.config.RepoDir(), Fix: "run `jomctl install`; `jomctl status` shows whether the controller runs"}
	}
	if k.repo, err = git.Open(ctx, k.config.RepoDir(), git.Remote{URL: k.config.Repository, Branch: k.config.Branch, Key: k.config.Key, KnownHosts: k.config.KnownHosts}); err != nil {
		return nil, err
	}
	refs, err := k.repo.Refs(ctx)
	k.head = refs[k.repo.Main()]
	return k, err
}

// homeCommand makes a command that only looks.
func (a *app) homeCommand(use, short string, args cobra.PositionalArgs, look func(ctx context.Context, k *kept, args []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
		c, err := config.Load(a.global.File)
		if err != nil {
			return err
		}
		k, err := openHome(cmd.Context(), c)
		if err != nil {
			return err
		}
		return look(cmd.Context(), k, args)
	}}
}

func newHomeStatus(a *app) *cobra.Command {
	cmd := a.homeCommand("status", "Show what is pushed, what waits, and what is not kept", cobra.NoArgs, func(_ context.Context, k *kept, _ []string) error {
		status, err := homesync.ReadStatus(k.config.StatusFile())
		if err != nil {
			return err
		}
		if err := a.writeHomeStatus(k, status, time.Now()); err != nil {
			return err
		}
		if troubled(status) {
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

func (a *app) writeHomeStatus(k *kept, s homesync.Status, now time.Time) error {
	if a.global.Output == formatJSON {
		return a.writeJSON(map[string]any{"home": k.home, "repository": k.config.Repository, "branch": k.config.Branch, "status": s,
			"oldestUnpushedSeconds": s.OldestUnpushed(now).Seconds()})
	}
	var text strings.Builder
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%-12s %s\n", name, value)
		}
	}
	row("home", k.home)
	row("repository", k.config.Repository+" "+k.config.Branch)
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

// homeCommit is one commit as history shows it.
type homeCommit struct {
	Commit  string    `json:"commit"`
	Time    time.Time `json:"time"`
	Epoch   int64     `json:"epoch,omitempty"`
	Subject string    `json:"subject"`
}

func newHomeHistory(a *app) *cobra.Command {
	count := 30
	cmd := a.homeCommand("history [PATH...]", "Show the commits of the home, or of files in it, newest first", cobra.ArbitraryArgs, func(ctx context.Context, k *kept, args []string) error {
		commits, err := k.log(ctx, count, args)
		if err != nil {
			return err
		}
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

// log reads commits; paths are those of the home, as jobs/a.
func (k *kept) log(ctx context.Context, count int, paths []string) ([]homeCommit, error) {
	commits := []homeCommit{}
	if k.head.IsZero() {
		return commits, nil
	}
	args := append([]string{"log", "-z", "--format=%H%n%ct%n%B", "-n", strconv.Itoa(count), k.head.String(), "--"}, literal(paths)...)
	out, err := k.repo.Run(ctx, args...)
	if err != nil {
		return nil, err
	}
	for text := range strings.SplitSeq(strings.Trim(out, "\x00"), "\x00") {
		parts := strings.SplitN(text, "\n", 3)
		if len(parts) < 3 {
			continue
		}
		seconds, err := strconv.ParseInt(parts[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading the history: %w", err)
		}
		epoch, _ := claim.EpochOf(parts[2])
		subject, _, _ := strings.Cut(parts[2], "\n")
		commits = append(commits, homeCommit{parts[0], time.Unix(seconds, 0), epoch, subject})
	}
	return commits, nil
}

// literal keeps git from reading patterns into the names of jobs.
func literal(paths []string) []string {
	var all []string
	for _, path := range paths {
		all = append(all, ":(literal)"+strings.Trim(path, "/"))
	}
	return all
}

func newHomeDiff(a *app) *cobra.Command {
	var only []string
	cmd := a.homeCommand("diff [COMMIT [COMMIT]]", "Show what changed between two commits, or since one", cobra.MaximumNArgs(2), func(ctx context.Context, k *kept, args []string) error {
		if len(args) == 0 {
			args = []string{k.head.String() + "^"}
		}
		if len(args) == 1 {
			args = append(args, k.head.String())
		}
		for i := range args {
			commit, err := k.commit(ctx, args[i])
			if err != nil {
				return err
			}
			args[i] = commit.String()
		}
		text, err := k.repo.Run(ctx, append([]string{"diff", "--no-color", "--no-ext-diff", "-M", args[0], args[1], "--"}, literal(only)...)...)
		if err != nil {
			return err
		}
		if a.global.Output == formatJSON {
			return a.writeJSON(map[string]any{"from": args[0], "to": args[1], "diff": text})
		}
		_, err = io.WriteString(a.streams.Out, text)
		return err
	})
	cmd.Long = "diff shows what changed between two commits of `jomctl home history`, from one to the last, or in the last one.\nWhat of the home is not committed yet is shown by `jomctl home verify`."
	cmd.Flags().StringArrayVar(&only, "only", nil, "a file or folder, as jobs/NAME (repeatable)")
	return cmd
}

// commit reads what a person calls a commit.
func (k *kept) commit(ctx context.Context, text string) (git.Hash, error) {
	if strings.HasPrefix(text, "-") {
		return git.Hash{}, &usageError{fmt.Errorf("%q is not a commit", text)}
	}
	out, err := k.repo.Run(ctx, "rev-parse", "--quiet", "--verify", "--end-of-options", text+"^{commit}")
	if err != nil {
		return git.Hash{}, &usageError{fmt.Errorf("the history has no commit %q (see `jomctl home history`)", text)}
	}
	return git.ParseHash(strings.TrimSpace(out))
}
