"""What an application imports: prompts of the release that is live, feedback, and which documents a call was given."""
