package main

import (
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// newLogger writes to standard error: for people on a terminal, JSON lines otherwise.
func newLogger() zerolog.Logger {
	zerolog.TimeFieldFormat = time.RFC3339Nano
	zerolog.DurationFieldUnit = time.Millisecond
	zerolog.DurationFieldInteger = true
	log := zerolog.New(os.Stderr)
	if isTerminal(os.Stderr) {
		log = zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.TimeOnly})
	}
	text := os.Getenv("CLIPD_LOG_LEVEL")
	if text == "" {
		text = os.Getenv("JINA_LOG_LEVEL")
	}
	level, known := parseLevel(text)
	log = log.Level(level).With().Timestamp().Logger()
	if !known {
		log.Warn().Str("level", text).Msg("unknown log level; use DEBUG, INFO, WARNING, ERROR or CRITICAL")
	}
	return log
}

// parseLevel reads jina's names of levels, which are Python's and SUCCESS between INFO and WARNING.
func parseLevel(text string) (zerolog.Level, bool) {
	switch strings.ToUpper(strings.TrimSpace(text)) {
	case "TRACE":
		return zerolog.TraceLevel, true
	case "DEBUG":
		return zerolog.DebugLevel, true
	case "", "INFO", "SUCCESS":
		return zerolog.InfoLevel, true
	case "WARNING", "WARN":
		return zerolog.WarnLevel, true
	case "ERROR":
		return zerolog.ErrorLevel, true
	case "CRITICAL", "FATAL":
		return zerolog.FatalLevel, true
	}
	return zerolog.InfoLevel, false
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
