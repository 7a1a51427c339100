package cli

import (
	"errors"
	"fmt"

	"github.com/jomctl/jomctl/internal/filesum"
	"github.com/jomctl/jomctl/internal/op"
)

// unfinished finds the journal to go on with: that of resume and rollback, or one that the same verb left behind.
func (m *mutator) unfinished() (string, error) {
	log, err := op.LastRun(m.app.global.journalDir())
	switch again := m.app.again; {
	case errors.Is(err, op.ErrNoRun) && again == nil:
		return "", nil
	case err != nil:
		return "", err
	case again != nil && again.journal != log.Path:
		return "", fmt.Errorf("another run has worked since: %s", log.Path)
	case log.Meta().Verb != m.verb():
		m.app.say("Note: an unfinished %s of %s stays behind (`jomctl resume` goes on with it)", log.Meta().Verb, log.Time().Local().Format("2006-01-02 15:04"))
		return "", nil
	}
	if sum := log.Meta().ConfigSHA256; sum != "" && sum != fileSum(m.app.global.File) {
		m.app.say("Note: %s has changed since the unfinished %s of %s began", m.app.global.File, m.verb(), log.Time().Local().Format("2006-01-02 15:04"))
	}
	return log.Path, nil
}

func (m *mutator) journal(before string) (*op.Journal, error) {
	journal, err := (*op.Journal)(nil), error(nil)
	if before != "" {
		journal, err = op.OpenJournal(before)
	} else {
		journal, err = op.CreateJournal(m.app.global.journalDir(), m.verb())
	}
	switch {
	case m.makesRoom && op.NoRoom(err):
		m.app.say("Note: the disk is full: this run keeps no journal")
		return nil, nil
	case err != nil:
		return nil, err
	case m.makesRoom:
		journal.WaitForRoom()
	}
	return journal, nil
}

// fileSum is the checksum of a file, empty where it cannot be read.
func fileSum(path string) string {
	sum, _ := filesum.SHA256(path)
	return sum
}
