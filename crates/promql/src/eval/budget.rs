//! What a query may use: samples in memory, and time.

use wharf_signal::Interrupt;

use crate::error::EvalError;

/// After so many samples the interrupt is asked: some tens of microseconds.
const PATIENCE: usize = 16_384;

/// Samples in memory, and work done since the interrupt was asked.
pub(super) struct Budget<'a> {
    max_samples: usize,
    held: usize,
    worked: usize,
    interrupt: &'a dyn Interrupt,
}

impl<'a> Budget<'a> {
    pub(super) fn new(max_samples: usize, interrupt: &'a dyn Interrupt) -> Self {
        Self {
            max_samples,
            held: 0,
            worked: 0,
            interrupt,
        }
    }

    /// Samples in memory by now.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Says how many samples are in memory.
    ///
    /// # Errors
    /// Too many.
    pub(super) fn set(&mut self, samples: usize) -> Result<(), EvalError> {
        self.held = samples;
        if self.held > self.max_samples {
            return Err(EvalError::TooManySamples);
        }
        Ok(())
    }

    /// Takes room for samples.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn take(&mut self, samples: usize) -> Result<(), EvalError> {
        self.set(self.held.saturating_add(samples))
    }

    /// Gives room back.
    pub(super) fn give(&mut self, samples: usize) {
        self.held = self.held.saturating_sub(samples);
    }

    /// Counts work.
    ///
    /// # Errors
    /// The query was stopped.
    #[inline]
    pub(super) fn work(&mut self, samples: usize) -> Result<(), EvalError> {
        self.worked += samples + 1;
        if self.worked >= PATIENCE {
            self.worked = 0;
            self.interrupt.check()?;
        }
        Ok(())
    }

    pub(super) fn interrupt(&self) -> &'a dyn Interrupt {
        self.interrupt
    }
}
