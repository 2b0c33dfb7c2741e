package engine

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// failToLoad puts the slot out of service after a load. An engine that ends in each of its loads, and does not say why,
// such as one that the system kills for want of memory, is left alone as one is that ends in its answers. The pool's mutex is held.
func (s *slot) failToLoad(failure *LoadError) {
	if !errors.Is(failure, errGone) || !failure.unexplained || !s.tooManyDeaths() {
		s.fail(failure)
		return
	}
	s.giveUp(failure.Reason, failure.Tail, failure.Cause)
}

// giveUp puts the slot out of service for as long as deaths are counted, if nobody loads the model by hand. The pool's mutex is held.
func (s *slot) giveUp(why string, tail []string, cause error) {
	reason := s.pool.timing.givenUp()
	if why != "" {
		reason += " " + why
	}
	s.fail(&LoadError{Model: s.name, Reason: reason, Tail: tail, Cause: cause})
	s.retryAt = s.pool.now().Add(s.pool.timing.window)
}

// tooManyDeaths counts one more, and says whether it is the last that is put up with. The pool's mutex is held.
func (s *slot) tooManyDeaths() bool {
	now := s.pool.now()
	for len(s.deaths) > 0 && now.Sub(s.deaths[0]) > s.pool.timing.window {
		s.deaths = s.deaths[1:]
	}
	s.deaths = append(s.deaths, now)
	if len(s.deaths) < s.pool.timing.maxDeaths {
		return false
	}
	s.deaths = nil
	return true
}

// fail puts the slot out of service for a while. The pool's mutex is held.
func (s *slot) fail(failure *LoadError) {
	s.failure = failure
	s.retryAt = s.pool.now().Add(s.pause.NextBackOff())
	s.set(Failed, failure.Reason)
	s.settle(failure)
	s.pool.cfg.Logger.Error("a model failed to load", "model", s.name, "err", failure)
}

// givenUp says why an engine is not started again.
func (t timing) givenUp() string {
	return fmt.Sprintf("The engine ended %d times within %s and is left alone for as long; load the model to try at once.", t.maxDeaths, spoken(t.window))
}

func spoken(d time.Duration) string {
	if d%time.Minute == 0 && d > 0 {
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return d.String()
}

const maxTailLine = 200

// path is one of this machine, of which a person is told the last name alone.
var path = regexp.MustCompile(`'/[^']*/([^'/]+)'|"/[^"]*/([^"/]+)"|(?:^|[\s=(])/(?:[^\s'":,;]+/)+([^\s'":,;]+)`)

// tail is the last lines of the log, without paths. The log holds nothing of what was asked, so they do not.
func (p *process) tail() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := make([]string, 0, len(p.logged))
	for _, line := range p.logged {
		line = strings.Join(strings.Fields(path.ReplaceAllString(line, " $1$2$3")), " ")
		if len(line) > maxTailLine {
			line = line[:maxTailLine] + "…"
		}
		lines = append(lines, strings.ToValidUTF8(line, ""))
	}
	return lines
}
