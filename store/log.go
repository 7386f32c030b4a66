package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// slowStatement is far above what any statement of this package takes on a healthy database.
const slowStatement = 500 * time.Millisecond

// statementLog passes what gorm reports to slog: slow statements, and failed ones at debug level, because whoever asked
// handles the error. It never shows the values in a statement.
type statementLog struct{ to *slog.Logger }

// LogMode is gorm's; the level is that of the slog handler.
func (l statementLog) LogMode(logger.LogLevel) logger.Interface { return l }

// Info is gorm's.
func (l statementLog) Info(ctx context.Context, format string, args ...any) {
	l.to.InfoContext(ctx, fmt.Sprintf(format, args...))
}

// Warn is gorm's.
func (l statementLog) Warn(ctx context.Context, format string, args ...any) {
	l.to.WarnContext(ctx, fmt.Sprintf(format, args...))
}

// Error is gorm's.
func (l statementLog) Error(ctx context.Context, format string, args ...any) {
	l.to.ErrorContext(ctx, fmt.Sprintf(format, args...))
}

// ParamsFilter keeps values out of the statements that are logged.
func (l statementLog) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	return sql, nil
}

// Trace is called after each statement.
func (l statementLog) Trace(ctx context.Context, begin time.Time, statement func() (string, int64), err error) {
	took := time.Since(begin)
	failed := err != nil && !errors.Is(err, gorm.ErrRecordNotFound)
	level := slog.LevelDebug
	if took >= slowStatement {
		level = slog.LevelWarn
	}
	if !l.to.Enabled(ctx, level) || (!failed && level == slog.LevelDebug) {
		return
	}
	sql, rows := statement()
	attributes := []slog.Attr{slog.String("sql", sql), slog.Int64("rows", rows), slog.Duration("took", took)}
	if failed {
		attributes = append(attributes, slog.Any("error", err))
	}
	message := "database statement failed"
	if level == slog.LevelWarn {
		message = "slow database statement"
	}
	l.to.LogAttrs(ctx, level, message, attributes...)
}

// driverLog passes what the MySQL driver reports to slog: mostly connections that went away.
type driverLog struct{ to *slog.Logger }

// Print is the driver's.
func (l driverLog) Print(values ...any) {
	l.to.Debug("database driver", "message", fmt.Sprint(values...))
}
