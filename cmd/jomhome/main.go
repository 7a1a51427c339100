// Command jomhome is the first process of the controller: it owns the home and runs Jenkins.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/internal/home/git"
)

const usage = `usage: jomhome run --config FILE   run the controller that FILE describes
       jomhome check URL           exit 0 if URL answers 200
       jomhome home FILE QUESTION  answer jomctl's question (JSON) about the home that FILE describes
       jomhome backup FILE [REQUEST]  make a backup as FILE says if one is due, or do what jomctl asks (JSON)
       jomhome share hold|try DIR TOKEN  try whether DIR is shared with another host`

func main() {
	args := os.Args[1:]
	if git.Answer(args, os.Stdout) { // git asks for the token of the history's repository
		return
	}
	if home.Watchdog() {
		return
	}
	switch {
	case len(args) == 3 && args[0] == "run" && args[1] == "--config":
		os.Exit(run(args[2]))
	case len(args) == 3 && args[0] == "home":
		os.Exit(answerHome(args[1], args[2]))
	case len(args) == 2 && args[0] == "backup":
		os.Exit(backUp(args[1]))
	case len(args) == 3 && args[0] == "backup":
		os.Exit(answerBackup(args[1], args[2]))
	case len(args) == 4 && args[0] == "share":
		os.Exit(share(args[1], args[2], args[3]))
	case len(args) == 2 && args[0] == "check":
		if err := home.Check(context.Background(), args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "jomhome:", err)
			os.Exit(1)
		}
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
}

func run(config string) int {
	controller, err := home.LoadController(config)
	if err != nil {
		fmt.Fprintln(os.Stderr, "jomhome:", err)
		return home.ExitPrepare
	}
	code, err := home.Run(context.Background(), controller, home.Streams{Out: os.Stdout, Err: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, "jomhome:", err)
	}
	return code
}
