package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/internal/home/look"
)

// answerHome answers a question about the home of a controller file on stdout.
func answerHome(config, question string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	controller, err := home.LoadController(config)
	if err == nil && controller.History == nil {
		err = errors.New("the home has no history")
	}
	if err == nil {
		err = look.Serve(ctx, controller.Home, *controller.History, question, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "jomhome:", err)
		return 1
	}
	return 0
}
