package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/jomctl/jomctl/internal/backup"
	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/internal/home/claim"
)

// hooks are what the backups want to know of a home.
func hooks() backup.Hooks {
	return backup.Hooks{
		Epoch: func(home string) int64 {
			marker, _, err := claim.ReadMarker(home)
			if err != nil {
				return 0
			}
			return marker.Epoch
		},
		Own: home.Own,
		HasMark: func(home string) (bool, error) {
			_, ok, err := claim.ReadMarker(home)
			return ok, err
		},
		CopyMark: func(home, to string) error {
			marker, _, err := claim.ReadMarker(home)
			if err != nil {
				return err
			}
			return claim.WriteMarker(to, marker)
		},
	}
}

func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
}

// answerBackup does what is asked, and writes what came of it on stdout.
func answerBackup(config, request string) int {
	ctx, stop := interruptible()
	defer stop()
	c, err := backup.LoadConfig(config)
	var q backup.Request
	if err == nil {
		err = json.Unmarshal([]byte(request), &q)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "jomhome:", err)
		return 1
	}
	text, err := backup.Encode(backup.Server{Config: c, Hooks: hooks()}.Do(ctx, q))
	if err == nil {
		_, err = fmt.Println(string(text))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "jomhome:", err)
		return 1
	}
	return 0
}

// backUp is what the timer runs. Its exit code is 0 when a backup was made that counts, or none was due.
func backUp(config string) int {
	ctx, stop := interruptible()
	defer stop()
	c, err := backup.LoadConfig(config)
	var reply backup.Reply
	if err == nil {
		server := backup.Server{Config: c, Hooks: hooks(), Say: func(text string) { fmt.Println(text) }}
		reply, err = server.Do(ctx, backup.Request{Verb: backup.VerbRun, Verify: true, Due: true})
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "jomhome:", err)
		return 1
	case reply.Skipped != "":
		fmt.Println("no backup is made:", reply.Skipped)
		return 0
	case !reply.Record.Counts():
		fmt.Fprintln(os.Stderr, "jomhome: the backup does not count:", reply.Record.Proof.Problems)
		return 1
	}
	fmt.Printf("backup %s: %d files, %d bytes, of which %d were new; restored and read: it counts; %d older ones removed\n",
		reply.Taken.ID[:8], reply.Taken.Files, reply.Taken.Bytes, reply.Taken.Added, len(reply.Removed))
	return 0
}
