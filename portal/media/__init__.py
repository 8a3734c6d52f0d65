"""Files of ours: uploads checked and kept, copies of what runs made, thumbnails, and their way out.

Knows nothing of runs or apps. Every file belongs to one workspace and is served only to its members.
"""
