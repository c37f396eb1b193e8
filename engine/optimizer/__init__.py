"""Ask and tell: joins space, surrogate and acquisition."""
