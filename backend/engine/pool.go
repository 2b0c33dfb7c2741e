package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	gopsutil "github.com/shirou/gopsutil/v4/process"

	"mlxbar/backend/models"
)

// Config is what a pool needs.
type Config struct {
	Library Library
	Engines map[models.Format]Engine
	Source  Source // may be nil
	LogDir  string
	// RunDir is where the children that run are noted, so that the next pool ends those that
	// this one could not; "" notes none.
	RunDir string
	Logger *slog.Logger
	// OnChange hears, from one goroutine and some moments later, that States
	// has changed; may be nil.
	OnChange func()
	// Observer hears of loads and crashes; may be nil.
	Observer Observer
	// Limits are asked for whenever they matter; nil limits nothing.
	Limits func() Limits
	// Need estimates what a model will take; nil takes its size. It must be quick.
	Need func(models.Model) Need
	// Pinned says whether a model is not to be unloaded but by hand; nil is for none.
	Pinned func(model string) bool
	// Busy is told of each lease, from its beginning to its end; may be nil.
	Busy interface {
		Begin()
		End()
	}
	// ProbeEvery is for tests; 0 is the usual 15 s.
	ProbeEvery time.Duration
	// StopGrace is for tests; 0 is the usual 3 s, in which a child has to end before it is asked less gently.
	StopGrace time.Duration
}

// Observer hears how the engines fare. It must be quick.
type Observer interface {
	// Loading is told of the start of a load, with the values of the request's context that
	// caused it, if one did. What it returns is called with how it went: nil, context.Canceled
	// or a *LoadError.
	Loading(ctx context.Context, model, engine string) (ended func(error))
	// Crashed is told of an engine that ended unasked.
	Crashed(model, engine string)
}

// timing holds the pool's patience; tests shorten it.
type timing struct {
	startTimeout time.Duration // until the ready line, unless the Spec says otherwise
	stopGrace    time.Duration // between closing stdin, SIGTERM and SIGKILL
	drain        time.Duration // for the answers in flight when a model is unloaded
	probeEvery   time.Duration
	tokenEvery   time.Duration // an idle child is asked for a token when its last one is older
	probeTimeout time.Duration
	tokenTimeout time.Duration // for a token of an idle child, whose model may have to be read from disk again
	probeMisses  int           // in a row, until a child counts as hung
	retryMin     time.Duration // after a failure; doubles up to retryMax
	retryMax     time.Duration
	window       time.Duration // in which maxDeaths unasked deaths are too many
	maxDeaths    int
	tendEvery    time.Duration // how often idle models are looked for
}

var defaultTiming = timing{
	startTimeout: 10 * time.Minute, stopGrace: 3 * time.Second, drain: 30 * time.Second,
	probeEvery: 15 * time.Second, tokenEvery: time.Minute, probeTimeout: 10 * time.Second, tokenTimeout: time.Minute, probeMisses: 3,
	retryMin: 500 * time.Millisecond, retryMax: 30 * time.Second, window: 10 * time.Minute, maxDeaths: 5,
	tendEvery: 15 * time.Second,
}

// Pool is the engines of all models. Each model has a slot, which loads it once
// however many ask, and starts it again when it dies.
type Pool struct {
	cfg    Config
	timing timing
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // every goroutine of the pool
	change chan struct{}
	now    func() time.Time // tests set the clock

	mu      sync.Mutex // guards all below and every slot
	slots   map[string]*slot
	line    []*load // loads that need room, in the order of their tickets
	tickets uint64  // given out so far
	closed  bool
}

// NewPool makes a pool with nothing loaded. Close ends it.
func NewPool(cfg Config) *Pool {
	t := defaultTiming
	if cfg.ProbeEvery > 0 {
		t.probeEvery, t.tokenEvery, t.probeTimeout, t.tokenTimeout = cfg.ProbeEvery, cfg.ProbeEvery, 10*cfg.ProbeEvery, 10*cfg.ProbeEvery
	}
	t.stopGrace = cmp.Or(cfg.StopGrace, t.stopGrace)
	return newPool(cfg, t)
}

func newPool(cfg Config, t timing) *Pool {
	endLeftovers(cfg.RunDir, cfg.Logger)
	p := &Pool{cfg: cfg, timing: t, slots: map[string]*slot{}, change: make(chan struct{}, 1), now: time.Now}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.work.Go(p.announce)
	p.work.Go(p.tend)
	p.work.Go(func() {
		tick := time.NewTicker(wakeEvery)
		defer tick.Stop()
		p.followSleep(time.Now, tick.C)
	})
	return p
}

// announce tells OnChange of changes; those that come meanwhile are told together.
func (p *Pool) announce() {
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-p.change:
			if p.cfg.OnChange != nil {
				p.cfg.OnChange()
			}
		}
	}
}

func (p *Pool) changed() {
	select {
	case p.change <- struct{}{}:
	default:
	}
}

// Load starts to load model and does not wait for it. Errors: ErrUnknownModel, ErrClosed,
// or a *LoadError for a file that is broken or a model that is too large.
func (p *Pool) Load(model string) error {
	s, err := p.slot(model)
	if err != nil {
		return err
	}
	if err := p.tooLarge(s); err != nil {
		return err
	}
	return s.start()
}

// Preload loads models ahead of their first request, and keeps them loaded: one
// that dies is started again even when nobody is asking. What fails is logged.
func (p *Pool) Preload(names []string) {
	for _, name := range names {
		if s, err := p.slot(name); err == nil {
			p.mu.Lock()
			s.keep = true
			p.mu.Unlock()
		}
		if err := p.Load(name); err != nil {
			p.cfg.Logger.Error("cannot preload a model", "model", name, "err", err)
		}
	}
}

// Unload ends the engine of model after the requests that it answers, or as soon
// as ctx ends; a load is broken off. A model that is not loaded is no error, an
// unknown one is ErrUnknownModel.
func (p *Pool) Unload(ctx context.Context, model string) error {
	s, err := p.slot(model)
	var broken *LoadError
	if errors.As(err, &broken) {
		return nil
	}
	if err != nil {
		return err
	}
	s.unload(ctx, false)
	return nil
}

// Restart ends the engines of the loaded models that changed holds for, as Unload does, and loads them
// again, so that changed settings take effect. Who waits for one of them goes on waiting.
func (p *Pool) Restart(ctx context.Context, changed func(model string) bool) {
	p.mu.Lock()
	var loaded []*slot
	for _, s := range p.slots {
		if (s.run != nil || s.load != nil) && changed(s.name) {
			loaded = append(loaded, s)
		}
	}
	p.mu.Unlock()
	var restarts sync.WaitGroup
	for _, s := range loaded {
		restarts.Go(func() { s.unload(ctx, true) })
	}
	restarts.Wait()
}

// States gives the status of every model that was asked for, by name.
func (p *Pool) States() []Status {
	p.mu.Lock()
	p.measure()
	all := make([]Status, 0, len(p.slots))
	for _, s := range p.slots {
		all = append(all, s.status())
	}
	p.mu.Unlock()
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Model, b.Model) })
	return all
}

// resident is the memory that a process holds; 0 when it has just ended.
func resident(pid int) uint64 {
	if pid == 0 {
		return 0
	}
	info, err := (&gopsutil.Process{Pid: int32(pid)}).MemoryInfo()
	if err != nil {
		return 0
	}
	return info.RSS
}

// Close ends every child and waits for it; when ctx ends, they are killed.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	slots := make([]*slot, 0, len(p.slots))
	for _, s := range p.slots {
		slots = append(slots, s)
		s.settle(ErrClosed)
	}
	p.mu.Unlock()
	p.cancel() // breaks loads off
	var ending sync.WaitGroup
	for _, s := range slots {
		ending.Go(func() { s.end(ctx) })
	}
	ending.Wait()
	p.work.Wait()
	var errs []error
	for _, s := range slots {
		errs = append(errs, s.log.Close())
	}
	return errors.Join(errs...)
}

// slot gives the slot of a model that exists, or that Source brings.
func (p *Pool) slot(model string) (*slot, error) {
	name := models.CleanName(model)
	p.mu.Lock()
	s, ok := p.slots[name]
	closed := p.closed
	// What runs needs no look at the disk, even when its file has gone since.
	busy := ok && (s.run != nil || s.load != nil)
	p.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	if busy {
		return s, nil
	}
	format, err := p.format(name)
	if err != nil {
		return nil, err
	}
	engine, err := p.engine(name, format)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if s, ok := p.slots[name]; ok {
		return s, nil
	}
	s = newSlot(p, name, engine)
	p.slots[name] = s
	return s, nil
}

// EngineOf names the engine that runs models of a format, "" if none does.
func (p *Pool) EngineOf(format models.Format) string {
	if e, ok := p.cfg.Engines[format]; ok {
		return e.Name()
	}
	return ""
}

// RunnerOf names the engine that runs model, or that failed to; "" when none was
// ever asked to.
func (p *Pool) RunnerOf(model string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.slots[models.CleanName(model)]; ok {
		return s.engine.Name()
	}
	return ""
}

func (p *Pool) engine(model string, format models.Format) (Engine, error) {
	e, ok := p.cfg.Engines[format]
	if !ok {
		return nil, &LoadError{Model: model, Reason: fmt.Sprintf("No engine of this machine runs models of the format %s.", format)}
	}
	return e, nil
}

// offered is the model of that name that Source would bring.
func (p *Pool) offered(name string) (models.Model, bool) {
	if p.cfg.Source == nil {
		return models.Model{}, false
	}
	m, ok := p.cfg.Source.Offer()
	return m, ok && m.Name == name
}

// format is that of a model that can be loaded.
func (p *Pool) format(name string) (models.Format, error) {
	model, err := p.cfg.Library.Find(name)
	var broken *models.BrokenError
	switch {
	case err == nil:
		return model.Format, nil
	case errors.Is(err, models.ErrUnknown):
		if m, ok := p.offered(name); ok {
			return m.Format, nil
		}
		return "", fmt.Errorf("%w: %q", ErrUnknownModel, name)
	case errors.As(err, &broken):
		return "", &LoadError{Model: name, Reason: "The model's file cannot be used: " + broken.Problem + ".", Cause: err}
	}
	return "", &LoadError{Model: name, Reason: "The models folder cannot be read.", Cause: err}
}
