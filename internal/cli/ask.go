package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jomctl/jomctl/internal/ui"
)

// askYesNo asks on Err and reads a line from In. Only y and yes are a yes; the end of the input is not an answer.
func askYesNo(ctx context.Context, streams ui.Streams, question string) (bool, error) {
	answer, err := askLine(ctx, streams, question+"? [y/N] ")
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes", err
}

// askLine asks on Err and reads a line from In.
func askLine(ctx context.Context, streams ui.Streams, question string) (string, error) {
	fmt.Fprint(streams.Err, question)
	type reply struct {
		line string
		err  error
	}
	replies := make(chan reply, 1)
	// Reading from a terminal cannot be cancelled; after an interrupt the process ends anyway.
	go func() {
		line, err := bufio.NewReader(streams.In).ReadString('\n')
		replies <- reply{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(streams.Err)
		return "", context.Cause(ctx)
	case r := <-replies:
		if r.err != nil && !errors.Is(r.err, io.EOF) {
			return "", fmt.Errorf("reading the answer: %w", r.err)
		}
		return strings.TrimSpace(r.line), nil
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
