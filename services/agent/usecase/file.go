package usecase

import (
	"context"
	"fmt"

	"github.com/heraldconf/herald/services/agent/domain"
	"github.com/heraldconf/herald/shared/config"
)

// make brings a file to what these snapshots say: written beside, checked, put in
// place, and then the command. It returns nil, at once, where all that is so. An
// error is a *domain.Refusal, or one of the disk.
func (f *Files) make(ctx context.Context, file domain.File, snapshots map[config.Name]*config.Snapshot) error {
	content, err := f.Renderer.Render(ctx, file.To, snapshots)
	if err != nil {
		return err
	}
	want := domain.Version{Present: true, Mode: file.Mode, Content: content}
	now, err := f.Disk.Read(file)
	if err != nil {
		return fmt.Errorf("read %s: %w", file.To, err)
	}
	record := f.Ledger.Record(file.To)
	same := now.Digest() == want.Digest()
	if same && (len(file.Then) == 0 || record.Settled == want.Digest()) {
		return nil
	}
	trial := record.Trial(now, want)
	if same {
		return f.then(ctx, file, trial, want)
	}
	if err := f.replace(ctx, file, trial, want); err != nil {
		return err
	}
	return f.then(ctx, file, trial, want)
}

// replace puts a version in place that passed its check. What to go back to is on
// disk before, so that a kill at any time leaves a way back.
func (f *Files) replace(ctx context.Context, file domain.File, trial domain.FileRecord, want domain.Version) error {
	err := f.Disk.Replace(file, want, func(beside string) error {
		if len(file.Check) > 0 {
			if err := f.Commands.Run(ctx, file.CheckCommand(beside), file.To, file.Timeout); err != nil {
				return domain.Refused(domain.CodeCheck, err.Error())
			}
		}
		if len(file.Then) == 0 {
			return nil
		}
		return f.Ledger.KeepRecord(trial)
	})
	if err != nil {
		return fmt.Errorf("write %s: %w", file.To, err)
	}
	return nil
}

// then runs what follows a replacement. Where it fails the former version comes
// back, and the command runs once more on that.
func (f *Files) then(ctx context.Context, file domain.File, trial domain.FileRecord, want domain.Version) error {
	if len(file.Then) == 0 {
		return nil
	}
	failed := f.Commands.Run(ctx, file.Then, file.To, file.Timeout)
	if failed == nil {
		f.settle(file, trial.Settle(want))
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err() // it was stopped with the agent, and runs anew with it
	}
	message := failed.Error()
	if trial.Former.Digest() != want.Digest() {
		if err := f.restore(ctx, file, trial); err != nil {
			message = fmt.Sprintf("%s\nand with the former file: %v", message, err)
		}
	}
	return domain.Refused(domain.CodeThen, message)
}

func (f *Files) restore(ctx context.Context, file domain.File, trial domain.FileRecord) error {
	if err := f.Disk.Replace(file, trial.Former, func(string) error { return nil }); err != nil {
		return fmt.Errorf("it cannot be put back: %w", err)
	}
	if err := f.Commands.Run(ctx, file.Then, file.To, file.Timeout); err != nil {
		return err
	}
	f.settle(file, trial.Settle(trial.Former))
	return nil
}

// settle notes that the command succeeded. Where that cannot be kept it merely runs
// again at the next start.
func (f *Files) settle(file domain.File, record domain.FileRecord) {
	if err := f.Ledger.KeepRecord(record); err != nil {
		f.Logger.Warn("cannot note that the command succeeded; it runs again after a restart", "file", file.To, "error", err)
	}
}
